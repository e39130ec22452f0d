"""What every test shares: one thread, and encoders whose every number matters."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from diffsr_hub import DiffSR
from finetune import Agent

torch.set_num_threads(1)

SMALL = {"feature_dim": 6, "psi_hidden": (8,), "nu_hidden": (8, 8), "num_levels": 5, "num_frequencies": 4}


@pytest.fixture
def make_encoder() -> Callable[..., DiffSR]:
    """A small encoder with random parameters, also where training starts at zero, and statistics far from 0 and 1."""

    def make(obs_dim: int = 3, action_dim: int = 2, seed: int = 0, **arguments: Any) -> DiffSR:
        generator = torch.Generator().manual_seed(seed)
        model = DiffSR(obs_dim, action_dim, **{**SMALL, **arguments})
        for parameter in model.parameters():
            fan_in = parameter.shape[-1] if parameter.dim() > 1 else 4
            torch.nn.init.normal_(parameter, std=fan_in**-0.5, generator=generator)
        model.set_statistics(
            torch.randn(obs_dim, generator=generator) * 5,
            torch.rand(obs_dim, generator=generator) * 3 + 0.2,
            torch.tensor(1.5),
            torch.tensor(2.5),
        )
        model.unexplained.copy_(torch.rand(model.unexplained.shape, generator=generator))
        return model

    return make


@pytest.fixture
def make_agent(make_encoder: Callable[..., DiffSR]) -> Callable[..., Agent]:
    """A small agent on such an encoder."""

    def make(env_id: str = "Hopper-v5", obs_dim: int = 3, action_dim: int = 2, **arguments: Any) -> Agent:
        encoder = make_encoder(obs_dim, action_dim)
        sizes = {"actor_hidden": (8,), "critic_frequencies": 4}
        with torch.random.fork_rng():
            torch.manual_seed(0)
            agent = Agent(encoder.arguments, env_id, [-2.0] * action_dim, [1.0] * action_dim, **{**sizes, **arguments})
        agent.encoder.load_state_dict(encoder.state_dict())
        return agent

    return make
