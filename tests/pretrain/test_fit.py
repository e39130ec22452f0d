import contextlib
import csv
import json
import math
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import h5py
import numpy as np
import pytest
import torch

from diffsr_hub import DiffSR
from diffsr_hub.runs.command import parse
from pretrain import collect, fit
from pretrain.callbacks import AtomicCheckpointIO
from pretrain.config import PretrainConfig
from pretrain.module import DiffSRModule

Pretrain = Callable[..., Path]
Refused = Callable[..., str]

ROOT = Path(__file__).parents[2]
PLAIN: list[str] = []
EVERYTHING = ["--ema_decay", "0.9", "--gradient_clip", "1", "--reward_coef", "0.1"]
SETTINGS = {"plain": PLAIN, "everything": EVERYTHING, "matrix": ["--score", "matrix"]}
ENCODER = {"README.md", "config.json", "dataset.json", "diagnostics.json", "diagnostics.png", "model.safetensors"}


def weights(run: Path) -> bytes:
    return (run / "encoder/model.safetensors").read_bytes()


def read(*flags: str) -> PretrainConfig:
    return parse(PretrainConfig, flags, prog="p", description="d")


@contextlib.contextmanager
def at_step(step: int, happens: Callable[[], Any]) -> Any:
    """Let something happen when that many steps are done."""
    original = DiffSRModule.training_step

    def training_step(self: DiffSRModule, batch: Any, batch_idx: int) -> torch.Tensor:
        if self.global_step == step:
            happens()
        return original(self, batch, batch_idx)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DiffSRModule, "training_step", training_step)
        yield


class Crash(Exception):
    """Power failure."""


def crash() -> None:
    raise Crash


def ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


# What it leaves


def test_a_run_leaves_exactly_these_files(finished):
    files = {str(path.relative_to(finished)) for path in finished.rglob("*") if path.is_file()}
    events = {file for file in files if re.fullmatch(r"logs/tensorboard/version_0/events\.out\.tfevents\.\S+", file)}
    assert len(events) == 1
    assert files - events == {
        ".lock",
        "config.yaml",
        "dataset.json",
        "checkpoints/last.ckpt",
        "logs/csv/version_0/metrics.csv",
        "logs/tensorboard/version_0/hparams.yaml",
        *(f"encoder/{name}" for name in ENCODER),
    }
    directories = {path.name for path in finished.rglob("*") if path.is_dir()}
    assert directories == {"checkpoints", "csv", "encoder", "logs", "tensorboard", "version_0"}


def test_the_printed_line_loads_the_encoder(pretrain: Pretrain, capsys):
    run = pretrain("runs/a", "--max_steps", "50")
    shown = capsys.readouterr().out
    assert f"encoder: {run / 'encoder'}" in shown
    names: dict[str, Any] = {}
    exec(shown.split("load it: ")[1].splitlines()[0], names)
    state = DiffSR.from_pretrained(run / "encoder").state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in names["model"].state_dict().items())
    assert not names["model"].training


def test_it_learns(finished):
    report = json.loads((finished / "encoder/diagnostics.json").read_text())
    mean = report["loss"]["mean"]
    assert mean["encoder"] < 0.5 * mean["random_encoder"]
    assert mean["encoder"] < mean["without_state_action"]


def test_the_encoder_knows_the_statistics_of_the_training_episodes(finished, episodes):
    from diffsr_hub.data import split_by_episode

    train, _ = split_by_episode(episodes, 0.1, 0)
    model = DiffSR.from_pretrained(finished / "encoder")
    for name, value in episodes.moments(train)._asdict().items():
        assert torch.equal(getattr(model, name), value)
    assert model.unexplained.min() > 0


def test_what_hardly_varies_is_not_blown_up(episodes):
    train = torch.arange(episodes.num_episodes)
    model = fit.build_model(PretrainConfig(smallest_std=0.8), episodes, train)
    expected = episodes.moments(train).obs_std
    assert (expected < 0.8).any() and (expected > 0.8).any()
    assert torch.equal(model.obs_std, expected.clamp(min=0.8))


# Seeds


def test_a_seed_reproduces_bit_for_bit_and_another_one_does_not(finished, pretrain: Pretrain):
    assert weights(pretrain("again")) == weights(finished)
    other = DiffSR.from_pretrained(pretrain("other", "--seed", "1") / "encoder")
    assert not torch.equal(other.fourier.omega, DiffSR.from_pretrained(finished / "encoder").fourier.omega)


def test_watching_more_closely_changes_nothing(finished, pretrain: Pretrain):
    closely = pretrain("run", "--validate_every", "7", "--checkpoint_every", "100", "--progress", "true")
    assert weights(closely) == weights(finished)


# Resuming


@pytest.mark.parametrize("name", SETTINGS)
def test_a_crashed_run_goes_on_bit_for_bit(pretrain: Pretrain, name):
    flags = SETTINGS[name]
    whole = pretrain("whole", *flags)
    with at_step(130, crash), pytest.raises(Crash):
        pretrain("crashed", *flags)
    assert not Path("crashed/encoder").exists()
    with at_step(170, crash), pytest.raises(Crash):
        fit.main(["--resume", "crashed"])
    fit.main(["--resume", "crashed"])
    assert weights(Path("crashed")) == weights(whole)


def test_a_run_that_crashed_before_its_first_checkpoint_starts_again(finished, pretrain: Pretrain):
    with at_step(30, crash), pytest.raises(Crash):
        pretrain("crashed")
    fit.main(["--resume", "crashed"])
    assert weights(Path("crashed")) == weights(finished)


def test_a_finished_run_may_be_resumed_and_stays_as_it_is(finished, resumable):
    fit.main(["--resume", str(resumable)])
    assert weights(resumable) == weights(finished)
    assert len(list((resumable / "checkpoints").iterdir())) == 1


@pytest.mark.parametrize("flags", [PLAIN, EVERYTHING])
def test_a_longer_run_is_the_continuation_of_a_shorter_one(pretrain: Pretrain, flags):
    constant = ["--lr_schedule", "constant", *flags]
    longer = pretrain("longer", "--max_steps", "150", *constant)
    shorter = pretrain("shorter", "--max_steps", "100", *constant)
    fit.main(["--resume", "shorter", "--max_steps", "150"])
    assert weights(shorter) == weights(longer)
    assert read("--config", "shorter/config.yaml").max_steps == 150


def recorded(run: str) -> tuple[dict[str, Any], str]:
    folder = Path(run, "encoder")
    return json.loads((folder / "dataset.json").read_text())["training"], (folder / "README.md").read_text()


def test_the_record_of_a_resumed_run_says_what_happened(pretrain: Pretrain, finished):
    assert "changes" not in recorded(str(finished))[0]
    pretrain("run", "--max_steps", "100", "--learning_rate", "1e-3")
    before = weights(Path("run")), recorded("run")
    for flags in (["--max_steps", "50"], ["--learning_rate", "1e-4"]):
        with pytest.raises(SystemExit) as ended:
            fit.main(["--resume", "run", *flags])
        assert ended.value.code == 2
    assert (weights(Path("run")), recorded("run")) == before
    fit.main(["--resume", "run", "--max_steps", "150", "--learning_rate", "1e-4"])
    training, card = recorded("run")
    assert training["max_steps"] == 150
    assert "--max_steps=100" in training["command"] and "--learning_rate=0.001" in training["command"]
    assert training["changes"] == [{"step": 100, "settings": {"max_steps": 150, "learning_rate": 1e-4}}]
    assert "150 updates of 32" in card
    (line,) = (line for line in card.splitlines() if line.startswith("After 100 updates it went on with "))
    assert "max_steps=150" in line and "learning_rate=0.0001" in line


def test_a_moved_run_goes_on(finished, pretrain: Pretrain):
    with at_step(130, crash), pytest.raises(Crash):
        pretrain("here/run")
    shutil.move("here/run", "there")
    shutil.rmtree("here")
    fit.main(["--resume", "there"])
    assert weights(Path("there")) == weights(finished)
    assert not Path("here").exists()


def test_ctrl_c_saves_says_how_to_go_on_and_goes_on_bit_for_bit(pretrain: Pretrain, capsys):
    whole = pretrain("whole", *EVERYTHING)
    with at_step(70, ctrl_c), pytest.raises(SystemExit) as ended:
        pretrain("a run", "--checkpoint_every", "200", *EVERYTHING)
    assert ended.value.code == 130
    shown = capsys.readouterr()
    assert "stopped at step 71 of 200 and saved" in shown.out
    assert shown.err == "interrupted\n"
    again = shlex.split(shown.out.split("to go on: ")[1].splitlines()[0])
    assert again == ["diffsr", "pretrain", "--resume", "a run"]
    assert torch.load("a run/checkpoints/last.ckpt", weights_only=True)["global_step"] == 71
    fit.main(again[2:])
    assert weights(Path("a run")) == weights(whole)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1], ids=lambda number: number.name)
def test_what_ends_a_job_saves_the_very_step_and_the_run_goes_on_bit_for_bit(pretrain: Pretrain, capsys, number):
    whole = pretrain("whole", *EVERYTHING)
    with at_step(70, lambda: os.kill(os.getpid(), number)), pytest.raises(SystemExit) as ended:
        pretrain("evicted", "--checkpoint_every", "200", *EVERYTHING)
    assert ended.value.code == 130
    saved = torch.load("evicted/checkpoints/last.ckpt", weights_only=True)["global_step"]
    assert 70 <= saved <= 72 and f"stopped at step {saved} of 200 and saved" in capsys.readouterr().out
    fit.main(["--resume", "evicted"])
    assert weights(Path("evicted")) == weights(whole)
    rest, window = (logged_loss(run, 99) for run in ("evicted", "whole"))
    assert rest == pytest.approx(window, rel=0.3)  # a mean over the steps that were left, not a part of one


def logged_loss(run: str, step: int) -> float:
    """`train/loss` as the last start of a run logged it for one step."""
    file = sorted(Path(run, "logs/csv").glob("version_*/metrics.csv"))[-1]
    rows = csv.DictReader(file.read_text().splitlines())
    return next(float(row["train/loss"]) for row in rows if int(row["step"]) == step and row["train/loss"])


def test_ctrl_c_twice_ends_at_once_and_leaves_the_last_checkpoint(finished, pretrain: Pretrain):
    def twice() -> None:
        ctrl_c()
        ctrl_c()

    before = signal.getsignal(signal.SIGINT)
    with at_step(130, twice), pytest.raises(SystemExit) as ended:
        pretrain("stopped")
    assert ended.value.code == 130
    assert signal.getsignal(signal.SIGINT) is before
    assert torch.load("stopped/checkpoints/last.ckpt", weights_only=True)["global_step"] == 100
    fit.main(["--resume", "stopped"])
    assert weights(Path("stopped")) == weights(finished)


def test_ctrl_c_while_measuring_costs_only_the_measurements(finished, pretrain: Pretrain, monkeypatch):
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr("pretrain.export.diagnose", interrupted)
        pretrain("stopped")
    assert ended.value.code == 130
    assert not Path("stopped/encoder").exists()
    fit.main(["--resume", "stopped"])
    assert weights(Path("stopped")) == weights(finished)


# Other settings


@pytest.mark.parametrize(
    "flags",
    [
        ["--score", "matrix", "--psi_network", "residual"],
        ["--weighting", "paper", "--schedule", "linear"],
        ["--schedule", "cosine", "--reward_coef", "1"],
    ],
    ids=" ".join,
)
def test_every_variant_ends_with_an_encoder_that_learned(pretrain: Pretrain, flags):
    run = pretrain("run", *flags)
    report = json.loads((run / "encoder/diagnostics.json").read_text())
    assert report["loss"]["mean"]["encoder"] < report["loss"]["mean"]["random_encoder"]
    model = DiffSR.from_pretrained(run / "encoder")
    assert model.arguments["predict_reward"] is ("--reward_coef" in flags)
    assert model.arguments["score"] == ("matrix" if "matrix" in flags else "gradient")


def test_discrete_actions(make, bare_pretrain: Pretrain):
    def discrete(_: int, columns: dict[str, Any]) -> None:
        columns["actions"] = (columns["actions"][:, 0] > 0).astype(np.int64) + 1

    make(change=discrete, action_space=gym.spaces.Discrete(3, start=1))
    bare_pretrain("run")
    model = DiffSR.from_pretrained("run/encoder")
    assert (model.arguments["obs_dim"], model.arguments["action_dim"]) == (3, 3)
    assert json.loads(Path("run/encoder/dataset.json").read_text())["action_low"] is None


def test_a_namespace_is_trained_on_as_a_whole(pretrain: Pretrain, make):
    make("test/second-v0", lengths=(30,) * 4)
    pretrain("run", "--dataset", "test", "--max_steps", "50")
    made_of = json.loads(Path("run/encoder/dataset.json").read_text())
    assert [entry["id"] for entry in made_of["datasets"]] == ["test/linear-v0", "test/second-v0"]
    assert made_of["training"]["transitions"] == 1000 + 120


# What a stranger needs


BASE_ONLY = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[2:]:
            raise ModuleNotFoundError(f"{name} is not installed here", name=name)
sys.meta_path.insert(0, Blocked())
import torch
from diffsr_hub import DiffSR
torch.set_num_threads(1)
model = DiffSR.from_pretrained(sys.argv[1])
generator = torch.Generator().manual_seed(0)
psi = model.psi(torch.randn(64, 3, generator=generator), torch.rand(64, 2, generator=generator))
print(psi.detach().numpy().tobytes().hex())
"""


EXTRAS = ["lightning", "minari", "gymnasium", "matplotlib", "h5py", "jsonargparse", "mujoco", "pyarrow", "pretrain"]


def test_base_dependencies_are_enough_and_give_the_run_s_psi_bit_for_bit(pretrain: Pretrain, monkeypatch):
    inside: list[bytes] = []
    export = fit.export

    def spy(model: DiffSR, *args: Any, **options: Any) -> None:
        export(model, *args, **options)
        generator = torch.Generator().manual_seed(0)
        obs, action = torch.randn(64, 3, generator=generator), torch.rand(64, 2, generator=generator)
        inside.append(model.psi(obs, action).detach().numpy().tobytes())

    monkeypatch.setattr(fit, "export", spy)
    run = pretrain("run", "--max_steps", "50")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BASE_ONLY, str(run / "encoder"), *EXTRAS],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert bytes.fromhex(done.stdout.strip()) == inside[0]


# The embedded default


def test_without_data_and_network_the_embedded_default_is_used_aloud(bare_pretrain: Pretrain, monkeypatch, capsys):
    original = collect.collect
    monkeypatch.setattr(fit, "collect", lambda namespace, **options: original(namespace, steps=3_000, **options))
    bare_pretrain("run", "--dataset", "mujoco/hopper", "--max_steps", "50")
    shown = capsys.readouterr().out
    assert "using the embedded behaviour policies of mujoco/hopper" in shown
    assert "datasets: mujoco/hopper/bundled-v0" in shown
    made_of = json.loads(Path("run/encoder/dataset.json").read_text())
    assert made_of["source"] == made_of["datasets"][0]["source"] == "bundled"
    assert made_of["env_id"] == made_of["datasets"][0]["env_spec"]["id"] == "Hopper-v5"
    assert "diffsr collect mujoco/hopper --steps 3000" in made_of["datasets"][0]["behaviour"]["command"]
    assert "bundled" in Path("run/encoder/README.md").read_text()


# Bad input


def untouched(folder: Path) -> bool:
    """No run was started there."""
    return not (folder / "run").exists() and not (folder / "runs").exists()


@pytest.mark.parametrize(
    ("word", "reply"),
    [
        ("test/liner", "did you mean test/linear"),
        ("test/linear-v7", "test/linear-v0"),
        ("not an id", "is not a Minari dataset"),
        ("other/robot", "test/linear-v0"),
    ],
)
def test_an_unknown_dataset_lists_what_is_there(machine, refused: Refused, word, reply):
    assert reply in refused("--dataset", word, "--run_dir", "run")
    assert untouched(machine)


def overwrite(column: str, value: float) -> Callable[[int, dict[str, Any]], None]:
    def change(episode: int, columns: dict[str, Any]) -> None:
        if episode == 3:
            columns[column][7] = value

    return change


@pytest.mark.parametrize("column", ["observations", "actions", "rewards"])
@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_a_value_that_is_not_finite_is_found_by_episode_and_column(empty, make, refused: Refused, column, value):
    make(change=overwrite(column, value))
    said = refused("--dataset", "test/linear", "--run_dir", "run")
    assert "episode 3" in said and column in said and "test/linear-v0" in said
    assert untouched(empty)


def test_image_observations_come_later(empty, make, refused: Refused):
    def images(_: int, columns: dict[str, Any]) -> None:
        columns["observations"] = np.zeros((6, 32, 32, 3), np.uint8)

    make(lengths=(5, 5), change=images, observation_space=gym.spaces.Box(0, 255, (32, 32, 3), np.uint8))
    assert "image" in refused("--dataset", "test/linear", "--run_dir", "run")
    assert untouched(empty)


def test_spaces_that_do_not_mix_name_both_datasets(machine, make, refused: Refused):
    def wider(_: int, columns: dict[str, Any]) -> None:
        columns["observations"] = np.repeat(columns["observations"], 2, axis=1)

    make("test/wide-v0", change=wider, observation_space=gym.spaces.Box(-np.inf, np.inf, (6,), np.float64))
    said = refused("--dataset", "test", "--run_dir", "run")
    assert "test/linear-v0" in said and "test/wide-v0" in said and "observation space" in said
    assert untouched(machine)


def data_file(machine: Path) -> Path:
    return machine / "datasets/test/linear-v0/data/main_data.hdf5"


def test_a_damaged_file_is_named(machine, refused: Refused):
    data_file(machine).write_bytes(data_file(machine).read_bytes()[:5000])
    assert "main_data.hdf5" in refused("--dataset", "test/linear", "--run_dir", "run")
    assert untouched(machine)


def test_an_episode_without_steps_is_named(machine, refused: Refused):
    with h5py.File(data_file(machine), "a") as file:
        for name in ("actions", "rewards", "terminations"):
            file["episode_4"][name].resize(0, axis=0)
    assert "episode 4 has no steps" in refused("--dataset", "test/linear", "--run_dir", "run")
    assert untouched(machine)


def test_an_empty_dataset_is_refused(empty, make, refused: Refused):
    make(lengths=())
    assert "test/linear-v0 is empty" in refused("--dataset", "test/linear", "--run_dir", "run")
    assert untouched(empty)


def test_one_episode_is_too_few(empty, make, refused: Refused):
    make(lengths=(50,))
    assert "one episode" in refused("--dataset", "test/linear", "--run_dir", "run")
    assert untouched(empty)


def test_episodes_of_one_step_are_enough_if_two_are_held_out(bare_pretrain: Pretrain, make, refused: Refused):
    make(lengths=(1,) * 10)
    assert "--validation_fraction" in refused("--dataset", "test/linear", "--run_dir", "run")
    run = bare_pretrain("run", "--max_steps", "2", "--validation_fraction", "0.2")
    assert {path.name for path in (run / "encoder").iterdir()} == ENCODER


def test_a_folder_is_used_once(finished, resumable, refused: Refused):
    said = refused("--dataset", "test/linear", "--run_dir", str(resumable))
    assert "exists already" in said and f"--resume {resumable}" in said
    assert weights(resumable) == weights(finished)


def test_what_is_no_run_is_not_resumed(machine, refused: Refused):
    (machine / "empty").mkdir()
    for folder in ("empty", "nowhere", "datasets"):
        assert f"{folder} is not a run folder" in refused("--resume", folder)
    assert not any((machine / "empty").iterdir())


def test_a_resumed_run_has_its_folder_already(finished, resumable, refused: Refused):
    assert "--run_dir is for a new run" in refused("--resume", str(resumable), "--run_dir", "elsewhere")


def test_another_architecture_is_not_resumed_and_the_run_still_is(finished, resumable, refused: Refused):
    said = refused("--resume", str(resumable), "--feature_dim", "16")
    assert "feature_dim=8, not 16" in said
    fit.main(["--resume", str(resumable)])
    assert weights(resumable) == weights(finished)


def test_changed_data_is_not_resumed(resumable, make, refused: Refused):
    shutil.rmtree("datasets")
    make(change=overwrite("rewards", 5.0))
    assert "started on other data" in refused("--resume", str(resumable))


def test_a_damaged_checkpoint_is_named_and_may_be_deleted(finished, resumable, refused: Refused):
    checkpoint = resumable / "checkpoints/last.ckpt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    assert "last.ckpt cannot be read" in refused("--resume", str(resumable))
    checkpoint.unlink()
    fit.main(["--resume", str(resumable)])
    assert weights(resumable) == weights(finished)


def test_a_disk_that_fills_up_leaves_the_checkpoint_before(finished, machine, refused: Refused, monkeypatch):
    write = AtomicCheckpointIO.save_checkpoint

    def full(self: AtomicCheckpointIO, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        if checkpoint["global_step"] == 150:
            raise OSError(28, "No space left on device", str(path))
        write(self, checkpoint, path, storage_options)

    monkeypatch.setattr(AtomicCheckpointIO, "save_checkpoint", full)
    said = refused("--dataset", "test/linear", "--run_dir", "run")
    assert "No space left on device" in said and "last.ckpt" in said
    assert torch.load("run/checkpoints/last.ckpt", weights_only=True)["global_step"] == 100
    monkeypatch.setattr(AtomicCheckpointIO, "save_checkpoint", write)
    fit.main(["--resume", "run"])
    assert weights(Path("run")) == weights(finished)


def test_a_run_that_diverges_is_stopped(machine, refused: Refused):
    assert "diverged" in refused("--dataset", "test/linear", "--run_dir", "run", "--learning_rate", "1e6")
    assert not Path("run/encoder").exists()


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--accelerator", "abacus"], "abacus"),
        (["--max_stepz", "5"], "max_steps"),
        (["--max_steps", "many"], "max_steps"),
        (["--seed", "-1"], "seed"),
        (["--batch_size", "0"], "batch_size"),
        (["--psi_network", "residual", "--psi_hidden", "[16, 8]"], "psi_hidden"),
        (["--dataset", "test", "--tiers", "expert"], "expert"),
    ],
)
def test_wrong_settings_are_named_and_start_nothing(machine, refused: Refused, flags, named):
    assert named in refused("--dataset", "test/linear", "--run_dir", "run", *flags)
    assert untouched(machine)
