from pathlib import Path

import pytest
import torch

from benchmarks.program import ROOT
from benchmarks.studies.ingredients import (
    ABLATIONS,
    ARMS,
    RESULTS,
    TASKS,
    NewestPsi,
    RawPsi,
    RawRewards,
    SharpTargets,
    UnnormalizedCritic,
    carry_on,
    table,
    whole,
)
from benchmarks.studies.results import recorded
from finetune.learning.batch import Batch, Scale
from finetune.learning.diffsr_learner import DiffSRLearner, LearnerConfig
from finetune.running import training
from tests.finetune.toys import settings, small_agent


def learner(kind: type[DiffSRLearner]) -> DiffSRLearner:
    torch.manual_seed(0)
    config = settings(tau=0.5).part(LearnerConfig)
    return kind(small_agent(), config, learns_representation=True, generator=torch.Generator().manual_seed(0))


def test_the_critics_gradient_without_normalisation_is_that_of_autograd() -> None:
    torch.manual_seed(0)
    critic, psi = UnnormalizedCritic(5, 7, 1.0), torch.randn(4, 5, requires_grad=True)
    value, slope = critic.ascend(psi.detach())
    expected = critic(psi).mean(0)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(slope, torch.autograd.grad(expected.sum(), psi)[0])


@pytest.mark.parametrize("kind", [NewestPsi, RawRewards, SharpTargets, RawPsi])
def test_what_is_left_out_is_out_and_the_agent_still_learns(kind: type[DiffSRLearner]) -> None:
    found = learner(kind)
    before = [tensor.clone() for tensor in found.target_critic.parameters()]
    obs, action, one = torch.randn(8, 3), torch.rand(8, 2), torch.randn(8)
    found.update(Batch(obs, action, one, obs, one, obs, torch.full((8,), 0.9)))
    assert any(not torch.equal(a, b) for a, b in zip(before, found.target_critic.parameters(), strict=True))
    found.measure(Scale(torch.tensor(7.0), torch.zeros(3), torch.ones(3)))
    actor = found.agent.actor
    assert (found.target_psi is found.agent.encoder.psi_network) is (kind is NewestPsi)
    assert (found.agent.reward_scale == 1) == (kind is RawRewards)
    assert torch.equal(actor.target(obs)[0], actor.mode(obs)) is (kind is SharpTargets)
    for critic in (found.agent.critic, found.target_critic):
        assert isinstance(critic, UnnormalizedCritic) is (kind is RawPsi)


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
