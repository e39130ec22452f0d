from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.program import ROOT
from benchmarks.studies.ingredients import (
    ABLATIONS,
    ARMS,
    RESULTS,
    TASKS,
    UnnormalizedCritic,
    carry_on,
    newest_psi,
    psi_as_it_is,
    rewards_as_they_are,
    sharp_targets,
    table,
    whole,
)
from benchmarks.studies.results import recorded
from finetune.learning.learner import Learner
from finetune.learning.replay import Batch
from finetune.running import training
from tests.finetune.toys import settings, small_agent


class Training:
    """As much of one as the ablations touch."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.agent = small_agent()
        generator = torch.Generator().manual_seed(0)
        self.learner = Learner(self.agent, settings(tau=0.5), learns_representation=True, generator=generator)

    def _measure(self, replay: Any) -> None:
        self.agent.reward_scale.fill_(7)

    def update(self) -> None:
        obs, action, one = torch.randn(8, 3), torch.rand(8, 2), torch.randn(8)
        self.learner.update(Batch(obs, action, one, obs, one, obs, torch.full((8,), 0.9)))


def test_the_critics_gradient_without_normalisation_is_that_of_autograd() -> None:
    torch.manual_seed(0)
    critic, psi = UnnormalizedCritic(5, 7, 1.0), torch.randn(4, 5, requires_grad=True)
    value, slope = critic.ascend(psi.detach())
    expected = critic(psi).mean(0)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(slope, torch.autograd.grad(expected.sum(), psi)[0])


def test_what_is_left_out_is_out_and_the_agent_still_learns() -> None:
    training: Any = Training()
    psi, target = training.learner.agent.encoder.psi_network, training.learner.target_critic
    for change in (newest_psi, rewards_as_they_are, sharp_targets, psi_as_it_is):
        change(training)
    before = [tensor.clone() for tensor in target.parameters()]
    training.update()
    assert training.learner.target_psi is psi
    assert any(not torch.equal(a, b) for a, b in zip(before, target.parameters(), strict=True))  # it follows still
    training._measure(None)
    assert training.agent.reward_scale == 1
    obs = torch.randn(4, 3)
    assert torch.equal(training.agent.actor.target(obs)[0], training.agent.actor.mode(obs))


def test_an_interrupted_run_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept of it until then is not taken for the whole."""
    original, run = training.Training.advance, ("InvertedPendulum-v5", "newest-psi", 100)

    def advance(self: training.Training) -> None:
        if self.step == 1_040:
            raise KeyboardInterrupt
        original(self)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training.Training, "advance", advance)
        carry_on(*run, 1_060, tmp_path)
    records = [*recorded(tmp_path, {})]
    assert records and not whole(records, 1_060)
    carry_on(*run, 1_060, tmp_path)
    records = [*recorded(tmp_path, {})]
    assert whole(records, 1_060) == {run} and not whole(records, 1_061)


def test_every_arm_is_known() -> None:
    assert {ablation.arm for ablation in ABLATIONS.values()} == set(ARMS)
    assert not set(ARMS) & set(ABLATIONS)


def test_the_documented_table_is_that_of_the_raw_results() -> None:
    assert table(RESULTS.runs(), TASKS) in (ROOT / "docs" / "ingredients.md").read_text()
