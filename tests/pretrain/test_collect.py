import itertools
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import h5py
import minari
import numpy as np
import pytest

from diffsr_hub.data import load, resolve
from diffsr_hub.errors import UserError
from diffsr_hub.suites.meta_world.names import GROUPS
from pretrain import collect as module
from pretrain.behaviour import linear, writing
from pretrain.collect import collect, main

HOPPER = "mujoco/hopper"
ID = "mujoco/hopper/bundled-v0"
STEPS = 14_000  # enough for each of the 13 cells


def silent(_: str) -> None:
    pass


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one collected dataset, which tests only read."""
    root = tmp_path_factory.mktemp("datasets")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINARI_DATASETS_PATH", str(root))
        assert collect(HOPPER, steps=STEPS, seed=0, say=silent) == [ID]
    return root


@pytest.fixture
def dataset(shared: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(shared))
    return minari.load_dataset(ID)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "datasets"))
    return tmp_path / "datasets"


def arrays(root: Path) -> dict[str, np.ndarray[Any, Any]]:
    found = {}
    with h5py.File(root / ID / "data" / "main_data.hdf5") as file:
        file.visititems(lambda name, node: found.update({name: node[()]}) if isinstance(node, h5py.Dataset) else None)
    return found


def test_minari_loads_it_and_every_episode_ends_once(dataset: Any) -> None:
    assert dataset.total_steps >= STEPS
    lengths = []
    for episode in dataset.iterate_episodes():
        ends = episode.terminations | episode.truncations
        lengths.append(len(ends))
        assert ends[-1] and not ends[:-1].any()
        assert len(episode.observations) == len(ends) + 1
        assert episode.observations.dtype == np.float64 and episode.actions.dtype == np.float32
    assert (sum(lengths), len(lengths)) == (dataset.total_steps, dataset.total_episodes)
    assert dataset.total_steps < STEPS + 1000  # nothing after the episode that reaches the goal


def test_our_loader_opens_it(dataset: Any, tmp_path: Path) -> None:
    assert resolve([HOPPER], download=False, say=silent).source == "bundled"
    episodes = load([ID], cache_dir=tmp_path)
    assert episodes.env_id == "Hopper-v5"
    provenance = episodes.provenance[0]
    assert provenance["source"] == "bundled"
    assert provenance["behaviour"]["command"] == f"diffsr collect mujoco/hopper --steps {STEPS} --seed 0"


def test_steps_are_shared_evenly_from_random_to_best(dataset: Any) -> None:
    steps: Counter[tuple[str, float]] = Counter()
    returns: dict[tuple[str, float], list[float]] = {}
    kinds = dataset.storage.get_episode_metadata(range(dataset.total_episodes))
    for kind, episode in zip(kinds, dataset.iterate_episodes(), strict=True):
        cell = (kind["policy"], float(kind["noise"]))
        steps[cell] += len(episode.rewards)
        returns.setdefault(cell, []).append(episode.rewards.sum())
    policies = [policy.name for policy in linear.load("hopper").policies]
    assert set(steps) == {("random", 0.0), *((p, noise) for p in policies for noise in linear.NOISE_LEVELS)}
    # A cell plays only while it has the fewest steps, so that none is ahead of another by more than one episode.
    assert max(steps.values()) - min(steps.values()) <= 1000
    assert np.mean(returns["random", 0.0]) < 50 and np.mean(returns["best", 0.0]) > 2000
    told = {(c["policy"], c["noise"]): c for c in dataset.storage.metadata["behaviour"]["cells"]}
    assert {cell: entry["steps"] for cell, entry in told.items()} == steps
    for cell, entry in told.items():
        assert entry["episodes"] == len(returns[cell])
        assert entry["mean_return"] == pytest.approx(np.mean(returns[cell]), abs=0.06)


def test_it_says_what_it_is(dataset: Any) -> None:
    best = linear.load("hopper").policies[0].returns["0.0"]
    assert minari.get_normalized_score(dataset, np.array([best]))[0] == pytest.approx(1)
    assert dataset.env_spec.id == "Hopper-v5"
    env = dataset.recover_environment()
    assert env.observation_space == dataset.observation_space == gym.make("Hopper-v5").observation_space
    metadata = dataset.storage.metadata
    for key in ("algorithm_name", "author", "code_permalink", "description", "requirements", "minari_version"):
        assert metadata[key]
    assert metadata["dataset_id"] == ID and metadata["dataset_size"] > 0
    assert metadata["behaviour"]["software"]["mujoco"]


def test_the_namespaces_are_minaris(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(shared))
    assert set(minari.namespace.list_local_namespaces()) == {"mujoco", "mujoco/hopper"}
    assert list(minari.list_local_datasets()) == [ID]


def test_the_seed_decides_every_bit(root: Path) -> None:
    def collected(seed: int) -> dict[str, np.ndarray[Any, Any]]:
        collect(HOPPER, steps=1500, seed=seed, overwrite=True, say=silent)
        return arrays(root)

    first, same, other = collected(0), collected(0), collected(1)
    assert first.keys() == same.keys()
    assert all(np.array_equal(first[key], same[key]) for key in first)
    assert first.keys() != other.keys() or any(not np.array_equal(first[key], other[key]) for key in first)
    assert sorted(path.name for path in root.iterdir()) == ["mujoco"]


def test_an_existing_dataset_stays_unless_told_otherwise(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(shared))
    with pytest.raises(UserError, match=r"exists in .*--overwrite replaces it"):
        collect(HOPPER, steps=10, say=silent)


def test_the_first_of_two_processes_wins(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = writing._check_space

    def meanwhile(*arguments: Any) -> None:
        (root / ID).mkdir(parents=True)
        (root / ID / "theirs").touch()
        real(*arguments)

    monkeypatch.setattr(writing, "_check_space", meanwhile)
    assert collect(HOPPER, steps=10, say=silent) == [ID]
    assert [path.name for path in (root / ID).iterdir()] == ["theirs"]


def test_the_second_of_two_processes_says_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, said = module.write_dataset, []

    def meanwhile(*arguments: Any) -> None:
        (root / ID).mkdir(parents=True)
        real(*arguments)

    monkeypatch.setattr(module, "write_dataset", meanwhile)
    collect(HOPPER, steps=10, say=said.append)
    assert said == [f"{ID}: another process was first; its dataset stays"]


@pytest.mark.parametrize("number", [1, 2])
def test_an_interruption_between_old_and_new_leaves_the_old(
    number: int, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collect(HOPPER, steps=10, say=silent)
    before, real, calls = arrays(root), Path.rename, itertools.count(1)

    def rename(path: Path, target: Path) -> Path:
        if root / ID in (path, target) and next(calls) == number:
            raise KeyboardInterrupt
        return real(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(KeyboardInterrupt):
        collect(HOPPER, steps=10, seed=1, overwrite=True, say=silent)
    after = arrays(root)
    assert before.keys() == after.keys() and all(np.array_equal(before[key], after[key]) for key in before)


def test_half_a_dataset_is_named_with_what_replaces_it_and_stays(root: Path) -> None:
    tasks = GROUPS["metaworld/ml10-test"]
    for task in tasks:
        (root / task / "bundled-v0" / "data").mkdir(parents=True)
    with pytest.raises(UserError, match=rf"no whole dataset; to replace it: diffsr collect {tasks[0]} --overwrite"):
        collect("metaworld/ml10-test", say=silent)
    assert (root / tasks[0] / "bundled-v0" / "data").is_dir()


@pytest.mark.parametrize(
    ("namespace", "message"),
    [
        ("mujoco/hoper", r"unknown MuJoCo bundled dataset 'mujoco/hoper', valid: .*; did you mean mujoco/hopper\?"),
        ("hopper", r"did you mean mujoco/hopper\?"),
        ("minigrid/hopper", "unknown bundled dataset or group 'minigrid/hopper'"),
        ("", "valid: .*mujoco/hopper"),
    ],
)
def test_an_unknown_robot_is_refused_with_those_that_exist(namespace: str, message: str, root: Path) -> None:
    with pytest.raises(UserError, match=message):
        collect(namespace, say=silent)
    assert not root.exists()


@pytest.mark.parametrize("numbers", [{"steps": 0}, {"steps": -1}, {"seed": -1}])
def test_senseless_numbers_are_refused(numbers: dict[str, int], root: Path) -> None:
    with pytest.raises(UserError, match="steps must be at least 1 and the seed at least 0"):
        collect(HOPPER, **numbers, say=silent)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "stage", ["behaviour.robots.rollout", "behaviour.writing._check_space", "collect.create_namespace"]
)
def test_an_interrupted_collection_leaves_nothing(stage: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> Iterator[None]:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"pretrain.{stage}", interrupt)
    with pytest.raises(SystemExit) as end:
        main([HOPPER, "--steps", "10"])
    assert end.value.code == 130
    assert list(root.rglob("*")) == []


def test_ctrl_c_of_the_real_program_leaves_nothing(root: Path) -> None:
    program = Path(module.__file__)
    # A shell's background jobs, and so whatever they start, ignore Ctrl-C: undo that first.
    script = (
        "import runpy, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"sys.argv[1:] = ['{HOPPER}', '--steps', '10_000_000']\n"
        f"runpy.run_path('{program.name}', run_name='__main__')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=program.parent,  # from another folder than the checkout's
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while not root.exists():
            assert process.poll() is None
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, stderr) == (130, "interrupted\n")
    assert list(root.rglob("*")) == []


def test_a_disk_without_room_is_one_line(root: Path) -> None:
    limited = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "from pretrain.collect import main\n"
        f"main(['{HOPPER}', '--steps', '10'])"
    )
    checkout = Path(module.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", limited], cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: cannot write the dataset in {root} (File too large): free some space there")
    assert done.stderr.count("\n") == 1
    assert list(root.rglob("*")) == []


def test_a_folder_that_cannot_be_made_is_one_line(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root.write_text("a file is in the way")
    with pytest.raises(SystemExit) as end:
        main([HOPPER])
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith(f"error: cannot write the dataset in {root} (")


def test_the_command_reports_and_says_what_comes_next(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([HOPPER, "--steps", "10", "--seed", "3"])
    main([HOPPER, "--steps", "30", "--seed", "3", "--overwrite"])
    out = capsys.readouterr().out
    assert f"{ID}: " in out and "episode returns at 0, 25, 50, 75 and 100 %" in out and f"in {root / ID}" in out
    assert out.endswith(f"next: diffsr pretrain --dataset {ID}\n")
    metadata = json.loads((root / ID / "data" / "metadata.json").read_text())
    assert metadata["total_steps"] >= 30 and metadata["behaviour"]["command"].endswith("--steps 30 --seed 3")


@pytest.mark.parametrize("wrong", [["--colour", "red"], ["--step", "10"], ["--steps", "many"]])
def test_a_wrong_flag_shows_the_valid_ones(wrong: list[str], root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([HOPPER, *wrong])
    assert end.value.code == 2
    err = capsys.readouterr().err
    assert "error: " in err and all(flag in err for flag in ("--steps", "--seed", "--overwrite"))
    assert not root.exists()


def test_of_a_group_only_what_is_missing_is_collected(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tasks = GROUPS["metaworld/ml10-test"]
    main([tasks[0], "--steps", "500", "--processes", "1"])
    before = (root / tasks[0] / "bundled-v0" / "data" / "main_data.hdf5").stat().st_mtime_ns
    capsys.readouterr()
    main(["metaworld/ml10-test", "--steps", "500", "--processes", "1"])
    out = capsys.readouterr().out
    assert out.startswith("metaworld/ml10-test: 1 of 5 datasets exist already and stay\n")
    assert out.endswith("next: diffsr pretrain --dataset metaworld/ml10-test\n")
    assert list(minari.list_local_datasets()) == [f"{task}/bundled-v0" for task in tasks]
    assert (root / tasks[0] / "bundled-v0" / "data" / "main_data.hdf5").stat().st_mtime_ns == before
    with pytest.raises(UserError, match=r"every dataset of metaworld/ml10-test exists in .*--overwrite replaces it"):
        collect("metaworld/ml10-test", say=silent)


def test_meta_world_missing_is_said(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise UserError("Meta-World is not installed: pip install 'diffsr-hub[metaworld]'")

    monkeypatch.setattr("diffsr_hub.suites.meta_world.environment.check_installation", missing)
    with pytest.raises(UserError, match="Meta-World is not installed"):
        collect("metaworld/door-open-v3", say=silent)
    assert list(root.rglob("*")) == []


def test_an_unknown_task_is_refused(root: Path) -> None:
    with pytest.raises(UserError, match=r"did you mean metaworld/door-open-v3\?"):
        collect("metaworld/door-opn-v3", say=silent)
