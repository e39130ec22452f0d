"""A linear-Gaussian MDP, as a Minari dataset and in memory, and pretraining runs on it that take a second."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from minari.data_collector.episode_buffer import EpisodeBuffer

from diffsr_hub.data import Episodes, load
from pretrain.fit import main
from tests.datasets import store
from tests.machine import isolate

DATASET, EPISODES, STEPS = "test/linear-v0", 20, 50
OBSERVATIONS = gym.spaces.Box(-np.inf, np.inf, (3,), np.float64)
ACTIONS = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)
TINY = [
    *("--psi_hidden", "[16]", "--nu_hidden", "[16]", "--feature_dim", "8", "--num_levels", "5"),
    *("--num_frequencies", "8", "--batch_size", "32", "--max_steps", "200", "--checkpoint_every", "50"),
    *("--validate_every", "100", "--warmup_steps", "10", "--progress", "false"),
]

Change = Callable[[int, dict[str, Any]], None]


def linear_episode(rng: np.random.Generator, steps: int) -> dict[str, Any]:
    """s' = A s + B a + noise, the reward linear in both."""
    drift = np.array([[0.9, 0.1, 0.0], [-0.1, 0.9, 0.1], [0.0, 0.0, 0.8]])
    push = np.array([[0.5, 0.0], [0.0, 0.5], [0.3, 0.3]])
    actions = rng.uniform(-1, 1, (steps, 2))
    states = [rng.standard_normal(3)]
    for action in actions:
        states.append(drift @ states[-1] + push @ action + 0.1 * rng.standard_normal(3))
    observations, last = np.stack(states), np.arange(steps) == steps - 1
    return {
        "observations": observations,
        "actions": actions.astype(np.float32),
        "rewards": observations[:-1, 0] + actions[:, 1],
        "terminations": np.zeros(steps, bool),
        "truncations": last,
    }


def write(
    identifier: str = DATASET,
    *,
    lengths: Sequence[int] = (STEPS,) * EPISODES,
    change: Change | None = None,
    observation_space: gym.Space[Any] = OBSERVATIONS,
    action_space: gym.Space[Any] = ACTIONS,
) -> str:
    """Write the MDP as a Minari dataset; `change(episode, columns)` may spoil its columns first."""
    rng, buffers = np.random.default_rng(0), []
    for i, steps in enumerate(lengths):
        columns = linear_episode(rng, steps)
        if change is not None:
            change(i, columns)
        buffers.append(EpisodeBuffer(id=i, **columns))
    return store(identifier, buffers, observation_space=observation_space, action_space=action_space)


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("linear")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINARI_DATASETS_PATH", str(root))
        write()
    return root


@pytest.fixture(scope="session")
def episodes(written: Path, tmp_path_factory: pytest.TempPathFactory) -> Episodes:
    """The data, opened; 20 episodes of 50 steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINARI_DATASETS_PATH", str(written))
        return load([DATASET], cache_dir=tmp_path_factory.mktemp("cache"))


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without datasets; runs go into its folder."""
    isolate(monkeypatch, tmp_path)
    return tmp_path


@pytest.fixture
def machine(empty: Path, written: Path) -> Path:
    """A machine with the dataset `test/linear-v0`."""
    shutil.copytree(written, empty / "datasets")
    return empty


@pytest.fixture
def make() -> Callable[..., str]:
    """`write`, for a test that wants other data."""
    return write


def tiny_run(name: str, *flags: str) -> Path:
    """Pretrain into `name`, and return that folder."""
    main(["--dataset", "test/linear", "--run_dir", name, *TINY, *flags])
    return Path(name).resolve()


@pytest.fixture
def pretrain(machine: Path) -> Callable[..., Path]:
    """Pretrain a tiny encoder: `pretrain("name", *flags)` returns the run folder."""
    return tiny_run


@pytest.fixture
def bare_pretrain(empty: Path) -> Callable[..., Path]:
    """`pretrain` on a machine that has no dataset yet."""
    return tiny_run


@pytest.fixture(scope="module")
def finished(written: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished plain run, only to be read."""
    folder = tmp_path_factory.mktemp("finished")
    shutil.copytree(written, folder / "datasets")
    with pytest.MonkeyPatch.context() as patch:
        isolate(patch, folder)
        return tiny_run("run")


@pytest.fixture
def resumable(finished: Path, machine: Path) -> Path:
    """A copy of the finished run, on a machine with its data."""
    return Path(shutil.copytree(finished, machine / "copy"))


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Expect the command to end with 2 and one line: `refused(*flags)` returns that line."""

    def run(*flags: str) -> str:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([*TINY, *flags])
        lines = capsys.readouterr().err.splitlines()
        assert ended.value.code == 2
        assert len(lines) == 1 and lines[0].startswith("error: "), lines
        return lines[0]

    return run
