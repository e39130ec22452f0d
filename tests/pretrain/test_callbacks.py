import errno
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch

from diffsr_hub.errors import UserError
from pretrain import fit
from pretrain.callbacks import AtomicCheckpointIO, Progress, StopWhenAsked

OLD, NEW = {"step": 1}, {"step": 2, "weights": torch.zeros(100_000)}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoints" / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint(OLD, path)
    return path


@contextmanager
def little_space() -> Iterator[None]:
    """No file may grow beyond 20 kB, as on a disk that is full; also not the one that pytest's own output goes to."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def holds(path: Path, expected: dict[str, Any]) -> bool:
    """Whether that is what is there, and nothing else is."""
    return list(path.parent.iterdir()) == [path] and torch.load(path)["step"] == expected["step"]


def test_a_checkpoint_replaces_the_old_one(place):
    AtomicCheckpointIO().save_checkpoint(NEW, place)
    assert holds(place, NEW)


def test_a_full_disk_leaves_the_old_checkpoint_and_nothing_half(place):
    with pytest.raises(OSError) as error, little_space():
        AtomicCheckpointIO().save_checkpoint(NEW, place)
    assert error.value.errno == errno.EFBIG
    assert holds(place, OLD)


def test_an_interruption_leaves_the_old_checkpoint_and_nothing_half(place, monkeypatch):
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        AtomicCheckpointIO().save_checkpoint(NEW, place)
    assert holds(place, OLD)


def test_a_damaged_checkpoint_is_named_in_one_line(place):
    place.write_bytes(place.read_bytes()[:100])
    with pytest.raises(UserError, match=r"last\.ckpt cannot be read") as error:
        AtomicCheckpointIO().load_checkpoint(place, weights_only=True)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("step", "asked", "processes", "stops"),
    [(99, True, 1, True), (99, False, 1, False), (99, True, 2, False), (100, True, 2, True), (100, False, 2, False)],
)
def test_it_saves_and_stops_after_the_step_or_where_processes_agree(tmp_path, step, asked, processes, stops):
    saved: list[Path] = []
    agree = SimpleNamespace(reduce_boolean_decision=lambda decision, all: decision)
    trainer: Any = SimpleNamespace(
        global_step=step, world_size=processes, strategy=agree, save_checkpoint=saved.append, should_stop=False
    )
    stop = StopWhenAsked(tmp_path / "last.ckpt")
    stop.request.asked = asked
    stop.on_train_batch_end(trainer)
    assert trainer.should_stop == stop.stopped == stops
    assert saved == [tmp_path / "last.ckpt"] * stops


class Bars(Progress):
    """Notes what the bar shows after every update."""

    seen: ClassVar[list[tuple[int, int, int]]] = []

    def on_train_batch_end(self, *args: Any, **options: Any) -> None:
        super().on_train_batch_end(*args, **options)
        bar = self.train_progress_bar
        self.seen.append((bar.initial, bar.n, bar.total))


def test_the_bar_counts_the_steps_of_the_whole_run_also_when_resumed(pretrain, monkeypatch, capsys):
    monkeypatch.setattr(fit, "Progress", Bars)
    monkeypatch.setattr(Bars, "seen", [])
    pretrain("run", "--max_steps", "150", "--progress", "true")
    assert {(initial, total) for initial, _, total in Bars.seen} == {(0, 150)}
    assert [Bars.seen[i][1] for i in (0, 49, 98, 99, 149)] == [0, 50, 50, 100, 150]
    Bars.seen.clear()
    capsys.readouterr()
    fit.main(["--resume", "run", "--max_steps", "300"])
    assert {(initial, total) for initial, _, total in Bars.seen} == {(150, 300)}
    assert [Bars.seen[i][1] for i in (0, 49, 99, 149)] == [150, 200, 250, 300]
    shown = capsys.readouterr().out
    assert "300/300" in shown and "train/loss=" in shown and "val/loss=" in shown and " steps/s" in shown
    assert sum("300/300" in line for line in shown.split("\n")) == 1  # one bar


def test_without_a_bar_nothing_is_drawn(pretrain, capsys):
    pretrain("run", "--max_steps", "50")
    shown = capsys.readouterr()
    assert shown.err == "" and "50/50" not in shown.out


def test_the_average_is_exported_also_where_no_step_is_left(pretrain):
    run = pretrain("run", "--ema_decay", "0.9")
    averaged = (run / "encoder/model.safetensors").read_bytes()
    fit.main(["--resume", "run"])
    assert (run / "encoder/model.safetensors").read_bytes() == averaged
    plain = pretrain("plain")
    assert (plain / "encoder/model.safetensors").read_bytes() != averaged
