import errno
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest
import torch

from diffsr_hub.data import Episodes, load
from diffsr_hub.data.cache.arrays import ArrayWriter
from diffsr_hub.data.cache.build import ARRAYS
from diffsr_hub.data.cache.cache import cache_root
from diffsr_hub.data.minari.source import Source
from diffsr_hub.errors import UserError
from tests.homeless import without_home


def everything(episodes: Episodes) -> list[Any]:
    return [column.tolist() for column in episodes.transitions(torch.arange(episodes.num_transitions))]


def entry(tmp_path: Path) -> Path:
    (found,) = (tmp_path / "cache/minari-v2/test/coded-v0").iterdir()
    return found


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How often data was built and hashed."""
    counts = {"build": 0, "sha256": 0}

    def count(target: str, name: str, original: Callable[..., Any]) -> None:
        def counting(*arguments: Any) -> Any:
            counts[name] += 1
            return original(*arguments)

        monkeypatch.setattr(target, counting)

    from diffsr_hub.data.cache.build import build

    count("diffsr_hub.data.cache.cache.build", "build", build)
    count("diffsr_hub.data.minari.source.Source.sha256", "sha256", Source.sha256)
    return counts


def test_the_folder_is_chosen_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFSR_CACHE", "/a")
    assert cache_root() == Path("/a")
    monkeypatch.delenv("DIFFSR_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert cache_root() == Path("/b/diffsr-hub")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/c")
    assert cache_root() == Path("/c/.cache/diffsr-hub")


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/c")
    monkeypatch.setenv("DIFFSR_CACHE", "~/d")
    assert cache_root() == Path("/c/d")
    monkeypatch.delenv("DIFFSR_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "~/e")
    assert cache_root() == Path("/c/e/diffsr-hub")


def test_without_a_home_the_variable_is_named(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    identifier = make()
    without_home(monkeypatch)
    assert load([identifier]).num_episodes == 3  # where all is said, a home is not needed
    monkeypatch.delenv("DIFFSR_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    with pytest.raises(UserError, match="no home folder: set DIFFSR_CACHE"):
        load([identifier])


def test_caches_of_earlier_versions_are_not_used(make: Any, tmp_path: Path) -> None:
    identifier = make()
    first = everything(load([identifier]))
    (tmp_path / "cache/minari-v2").rename(tmp_path / "cache/minari-v1")
    _spoil(next((tmp_path / "cache").rglob("reward.npy")))
    assert everything(load([identifier])) == first


def test_a_second_load_reads_nothing_but_the_cache(make: Any, counted: dict[str, int]) -> None:
    identifier = make()
    first = everything(load([identifier]))
    assert everything(load([identifier])) == first
    assert counted == {"build": 1, "sha256": 1}


def test_touched_data_is_hashed_once_and_not_read(make: Any, tmp_path: Path, counted: dict[str, int]) -> None:
    identifier = make()
    first = everything(load([identifier]))
    os.utime(tmp_path / "datasets" / identifier / "data/main_data.hdf5", (1, 1))
    assert everything(load([identifier])) == first
    assert everything(load([identifier])) == first
    assert counted == {"build": 1, "sha256": 2}


def test_altered_data_is_read_again(make: Any, tmp_path: Path) -> None:
    identifier = make()
    assert load([identifier]).episode(0).reward[0] == 0
    with h5py.File(tmp_path / "datasets" / identifier / "data/main_data.hdf5", "a") as file:
        file["episode_0/rewards"][0] = 42.0
    assert load([identifier]).episode(0).reward[0] == 42


def test_altered_bounds_count_as_altered_data(make: Any, tmp_path: Path) -> None:
    identifier = make()
    assert load([identifier]).episode(0).action[1, 0] == pytest.approx(0.01)
    path = tmp_path / "datasets" / identifier / "data/metadata.json"
    path.write_text(path.read_text().replace("1.0", "0.1"))
    assert load([identifier]).episode(0).action[1, 0] == pytest.approx(0.1)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _spoil(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 255
    path.write_bytes(data)


def _replace_index(**changes: Any) -> Callable[[Path], None]:
    return lambda path: path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("name", "damage"),
    [(f"{name}.npy", damage) for name in ARRAYS for damage in (_truncate, _spoil, Path.unlink)]
    + [
        ("frames.npy", lambda path: path.write_bytes(b"")),
        ("index.json", lambda path: path.write_text("{")),
        ("index.json", lambda path: path.write_text("[]")),
        ("index.json", lambda path: path.write_bytes(b"\xff\xfe")),
        ("index.json", Path.unlink),
        ("index.json", lambda path: path.write_text("{}")),
        ("index.json", _replace_index(arrays={})),
    ],
)
def test_a_damaged_cache_is_built_again(
    make: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, damage: Callable[[Path], None]
) -> None:
    identifier = make()
    first = everything(load([identifier]))
    damage(entry(tmp_path) / name)
    assert everything(load([identifier])) == first
    assert "is damaged" in caplog.text
    caplog.clear()
    assert everything(load([identifier])) == first
    assert not caplog.text
    assert entry(tmp_path).is_dir()  # and nothing else is left


def test_a_full_disk_is_said_and_leaves_nothing(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: ArrayWriter) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    identifier = make()
    with monkeypatch.context() as patch, pytest.raises(UserError, match=r"disk is full .*DIFFSR_CACHE"):
        patch.setattr(ArrayWriter, "close", fail)
        load([identifier])
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert load([identifier]).num_episodes == 3


def test_a_cache_that_cannot_be_made_is_said(make: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write the cache .*file .*set DIFFSR_CACHE"):
        load([make()], cache_dir=tmp_path / "file")


def test_data_that_changes_while_it_is_read_is_refused(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def touch(source: Source) -> str:
        os.utime(source.folder / "main_data.hdf5", (2, 2))
        return "0" * 64

    monkeypatch.setattr(Source, "sha256", touch)
    with pytest.raises(UserError, match="changed while it was read"):
        load([make()])


def test_builders_at_the_same_time_do_not_disturb_each_other(make: Any, tmp_path: Path) -> None:
    identifier = make(lengths=[50] * 20)
    results: list[list[Any]] = []
    threads = [threading.Thread(target=lambda: results.append(everything(load([identifier])))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 6
    assert all(result == results[0] for result in results)
    assert entry(tmp_path).is_dir()


def test_a_cached_load_needs_neither_minari_nor_gymnasium(make: Any) -> None:
    identifier = make()
    load([identifier])
    code = f"""
import sys
from diffsr_hub.data import load
load([{identifier!r}])
print([name for name in ("minari", "gymnasium", "h5py", "pyarrow") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
