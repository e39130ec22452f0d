"""One more suite is one entry of the table: its data, environments, evaluations and rewards are then known."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from diffsr_hub.data import resolve
from diffsr_hub.errors import UserError
from diffsr_hub.suites.known import SUITES, bundled_version, can_collect, rewards, suite_of_data, suite_of_env
from diffsr_hub.suites.suite import Suite
from diffsr_hub.transitions import Transitions
from finetune.acting.environments import different_episodes, make, make_for_evaluation
from finetune.acting.evaluation import evaluate
from finetune.learning.offline import load_offline
from tests.finetune.learning.stored import write
from tests.finetune.toys import OneStep, small_agent
from tests.machine import isolate


class ToyEnv(OneStep):
    def __init__(self, goals: str = "any") -> None:
        self.goals = goals


@dataclass(frozen=True)
class Twice:
    source: str = "toys/Easy-v0"

    def accepts(self, env_id: str) -> bool:
        return env_id.startswith("toys/")

    def relabel(self, transitions: Transitions) -> Transitions:
        return transitions._replace(reward=2 * transitions.reward)


TOY = Suite(
    name="Toy",
    namespace="toy",
    env_namespace="toys",
    tasks=("toys/Easy-v0", "toys/Hard-v0"),
    registration=lambda task: {"entry_point": f"{__name__}:ToyEnv", "kwargs": {"goals": task}},
    bundled={"toy/easy": 3, "toy/hard": 0},
    groups={"toy/all": ("toy/easy", "toy/hard")},
    rewards={"toys/Hard-v0": Twice()},
    evaluation={"goals": "fixed"},
    evaluation_episodes=4,
)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    isolate(monkeypatch, tmp_path)
    monkeypatch.setitem(SUITES, TOY.namespace, TOY)
    yield
    for task in TOY.tasks:
        gym.registry.pop(task, None)


pytestmark = pytest.mark.usefixtures("toy")


def test_its_data_is_collected_where_there_is_none() -> None:
    asked: list[str] = []

    def collect(name: str) -> list[str]:
        asked.append(name)
        return [f"{member}/bundled-v{bundled_version(member)}" for member in TOY.members(name)]

    for word, expected in (("toy/easy", ("toy/easy/bundled-v3",)), ("toy/easy/bundled-v3", ("toy/easy/bundled-v3",))):
        assert resolve([word], collect=collect, say=lambda _: None).ids == expected
    assert resolve(["toy/all"], collect=collect, say=lambda _: None).ids == (
        "toy/easy/bundled-v3",
        "toy/hard/bundled-v0",
    )
    assert resolve(["toy/all-without-hard"], collect=collect, say=lambda _: None).ids == ("toy/easy/bundled-v3",)
    assert asked == ["toy/easy", "toy/easy", "toy/all", "toy/all-without-hard"]
    with pytest.raises(UserError, match=r"did you mean toy/easy\?"):
        resolve(["toy/eazy"], collect=collect, say=lambda _: None)


def test_its_environments_are_made_and_measured() -> None:
    assert make("toys/Easy-v0").unwrapped.goals == "toys/Easy-v0"  # type: ignore[attr-defined]
    assert make_for_evaluation("toys/Easy-v0").unwrapped.goals == "fixed"  # type: ignore[attr-defined]
    assert different_episodes("toys/Easy-v0") == 4
    assert len(evaluate(small_agent(1, 1, bound=0.4), "toys/Easy-v0", 4, seed=0).returns) == 4
    with pytest.raises(UserError, match="has 4 different episodes"):
        evaluate(small_agent(1, 1), "toys/Easy-v0", 5, seed=0)
    with pytest.raises(UserError, match=r"unknown Toy task 'toys/Esy-v0', .*did you mean toys/Easy-v0\?"):
        make("toys/Esy-v0")


def test_its_rewards_are_given_to_data() -> None:
    TOY.register()
    write("toy/easy/own-v0", "toys/Easy-v0", episodes=5)
    paid = {}
    for env_id in ("toys/Easy-v0", "toys/Hard-v0"):
        paid[env_id] = load_offline(["toy/easy/own-v0"], env_id, sizes=(1, 1), n=1, discount=0.99).reward
    assert torch.equal(2 * paid["toys/Easy-v0"], paid["toys/Hard-v0"])


@pytest.mark.parametrize("known", [*SUITES.values(), TOY], ids=lambda suite: suite.name)
def test_a_suite_agrees_with_itself(known: Suite) -> None:
    assert set(known.rewards) <= set(known.tasks)
    assert all(set(members) <= set(known.bundled) for members in known.groups.values())
    assert all(word.startswith(f"{known.namespace}/") for word in (*known.bundled, *known.groups))
    assert all(task.startswith(f"{known.env_namespace}/") for task in known.tasks)
    assert all(suite_of_data(word) is known and can_collect(word) for word in (*known.bundled, *known.groups))
    for task in known.tasks:
        assert suite_of_env(task) is suite_of_env(f"some.module:{task}") is known
        assert rewards(f"some.module:{task}") is known.rewards.get(task)
        assert task in gym.registry


def test_what_is_of_no_suite_is_left_alone() -> None:
    assert suite_of_data("mine/own") is suite_of_env("Hopper-v5") is rewards("Hopper-v5") is None
    assert not can_collect("mine/own") and bundled_version("mine/own") == 0
    assert different_episodes("Hopper-v5") is None
    assert np.isfinite(make_for_evaluation("Pendulum-v1").reset(seed=0)[0]).all()


def test_names_are_known_without_a_simulator() -> None:
    """Suites, datasets and evaluations are asked about without importing what the tasks are simulated with."""
    program = (
        "import sys; import diffsr_hub.data; from diffsr_hub.suites.known import *; "
        "assert suite_of_env('diffsr/Hopper-jump-v0') and rewards('diffsr/Hopper-jump-v0'); "
        "assert suite_of_env('metaworld/reach-v3').evaluation_episodes == 50; "
        "print([name for name in ('mujoco', 'metaworld') if name in sys.modules])"
    )
    root = Path(__file__).parents[3]
    done: Any = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
