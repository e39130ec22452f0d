"""Every system learns from InvertedPendulum's data and acts in it; its calls are as many as its paper says."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.diffusion.counting import counting
from benchmarks.diffusion.system import System
from benchmarks.diffusion.systems.dql import DQL
from benchmarks.diffusion.systems.dql import Settings as DQLSettings
from benchmarks.diffusion.systems.idql import IDQL
from benchmarks.diffusion.systems.idql import Settings as IDQLSettings
from benchmarks.diffusion.windows import Data
from finetune.acting.evaluation import evaluate

SYSTEMS: dict[str, Callable[[Data], System]] = {
    "dql": lambda data: DQL(data, DQLSettings(width=16, batch=8, updates=3, candidates=6)),
    "idql": lambda data: IDQL(data, IDQLSettings(width=16, blocks=1, batch=8, updates=3, candidates=6)),
}
CALLS: dict[str, dict[str, tuple[int, int]]] = {
    "dql": {"denoiser": (5, 30), "value": (1, 6)},
    "idql": {"denoiser": (5, 30), "value": (1, 6)},
}
"""calls and rows of one action"""


def fitted(name: str, data: Data) -> System:
    system = SYSTEMS[name](data)
    for stage in system.stages():
        for _ in range(stage.updates):
            stage.update()
    return system.eval()


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_learns_and_acts(name: str, pendulum: Data) -> None:
    torch.manual_seed(0)
    system = SYSTEMS[name](pendulum)
    before = {key: value.clone() for key, value in system.state_dict().items()}
    torch.manual_seed(0)
    system = fitted(name, pendulum)
    after = system.state_dict()
    assert all(value.isfinite().all() for value in after.values())
    assert any(not torch.equal(before[key], value) for key, value in after.items())
    system.begin(0)
    evaluation = evaluate(system, "InvertedPendulum-v5", 1, 1_000)
    assert evaluation.lengths[0] >= 1


@pytest.mark.parametrize("name", SYSTEMS)
def test_an_action_costs_what_its_paper_says(name: str, pendulum: Data) -> None:
    system = fitted(name, pendulum)
    with counting(system.networks()) as counts:
        system.predict(np.zeros((1, 4)))
    assert {network: (count.calls, count.rows) for network, count in counts.items()} == CALLS[name]


@pytest.mark.parametrize("name", SYSTEMS)
def test_an_episode_is_the_same_with_the_same_seed(name: str, pendulum: Data) -> None:
    system = fitted(name, pendulum)

    def actions() -> list[Any]:
        system.begin(3)
        return [system.predict(np.full((1, 4), 0.1 * i))[0].tolist() for i in range(3)]

    assert actions() == actions()
