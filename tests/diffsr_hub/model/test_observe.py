"""Laws of `observe`: one place makes a vector of an observation, and all that follows asks for its size."""

import torch
from torch import Tensor, nn

from diffsr_hub import DiffSR, Transitions
from diffsr_hub.model import encoder
from diffsr_hub.model.observe import Numbers


class Pairs(nn.Module):
    """A trunk whose output has another size than what it observes: sums of neighbours."""

    def __init__(self, obs_dim: int) -> None:
        super().__init__()
        self.out_dim = obs_dim // 2

    def forward(self, obs: Tensor) -> Tensor:
        return obs.unflatten(-1, (self.out_dim, 2)).sum(-1)


def test_numbers_are_observed_as_they_are():
    obs = torch.randn(2, 5, 3)
    observe = Numbers(3)
    assert observe(obs) is obs and observe.out_dim == 3 and not observe.state_dict()


def test_numbers_of_any_type_are_standardised_in_the_type_of_the_model(make_encoder):
    model = make_encoder()
    obs = torch.tensor([1, -2, 7])
    assert torch.equal(model.normalize(obs), (obs.float() - model.obs_mean) / model.obs_std)
    assert torch.equal(model.normalize(obs.double()), model.normalize(obs))


def test_a_trunk_of_another_size_takes_its_place(monkeypatch):
    monkeypatch.setattr(encoder, "Numbers", Pairs)
    sizes = {"feature_dim": 6, "psi_hidden": (8,), "nu_hidden": (8,), "num_levels": 5, "num_frequencies": 4}
    for score in ("gradient", "matrix"):
        model = DiffSR(6, 2, score=score, **sizes)
        obs, action, level = torch.randn(4, 6), torch.rand(4, 2), torch.arange(4)
        batch = Transitions(obs, action, obs[:, 0], obs + 1, level > 3)
        assert model.obs_mean.shape == (3,) and model.unexplained.shape == (5, 3)
        assert model.psi(obs, action).shape == (4, 6)
        assert model.denoising_residual(batch, level, torch.randn(4, 3)).shape == (4, 3)
        assert model.sample_next_obs(obs, action).shape == (4, 3)
