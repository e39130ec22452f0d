"""What the systems have in common: stages of updates, one action for one observation, a state that can be saved."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.diffusion.windows import Data

Network = TypeVar("Network", bound=nn.Module)


class Stage(NamedTuple):
    """A part of a training."""

    name: str
    updates: int
    """how many it has"""
    update: Callable[[], object]
    """makes one"""


class Acting(Protocol):
    """A system as an environment sees it."""

    def networks(self) -> Mapping[str, nn.Module]:
        """What is called while it acts, by name."""

    def begin(self, seed: int) -> None:
        """Start an episode."""

    def act(self, obs: Tensor) -> Tensor:
        """An action `[action_dim]` in [-1, 1] for a raw observation `[obs_dim]`."""


class Descent:
    """Gradient steps of one module by Adam, and an average that follows them.

    Args:
        module: What learns.
        rate: Learning rate.
        average: A copy that follows; None for none.
        share: Of the newest weights in it, at every update.
        clip: Largest norm of a gradient; 0 for any.
    """

    def __init__(
        self, module: nn.Module, rate: float, average: nn.Module | None = None, share: float = 0.005, clip: float = 0.0
    ) -> None:
        self.share, self.clip = share, clip
        self.learned = [parameter for parameter in module.parameters() if parameter.requires_grad]
        self.followed: list[Tensor] = list(module.parameters())
        self.averaged: list[Tensor] = [] if average is None else list(average.parameters())
        self.optimizer = torch.optim.Adam(self.learned, rate, fused=True)

    def __call__(self, loss: Tensor) -> None:
        """One step against the gradient of a loss; gradients that it has on other modules are not left there."""
        for parameter, gradient in zip(self.learned, torch.autograd.grad(loss, self.learned), strict=True):
            parameter.grad = gradient
        if self.clip:
            nn.utils.clip_grad_norm_(self.learned, self.clip)
        self.optimizer.step()
        if self.averaged:
            with torch.no_grad():
                torch._foreach_lerp_(self.averaged, self.followed, self.share)


class System(nn.Module):
    """A system that learns from data; a subclass makes its networks, and registers descents by name.

    Args:
        data: What it learns from.
        seed: Of everything.
    """

    def __init__(self, data: Data, seed: int) -> None:
        super().__init__()
        self.data, self.generator = data, torch.Generator().manual_seed(seed)
        self.acting = torch.Generator().manual_seed(seed)
        self.descents: dict[str, Descent] = {}
        self.pool: dict[str, Tensor] = {}
        """what one stage draws for the next, `[N, …]`, by name"""

    def stages(self) -> list[Stage]:
        """The training, in order."""
        raise NotImplementedError

    def networks(self) -> Mapping[str, nn.Module]:
        """What is called while it acts, by name."""
        raise NotImplementedError

    def act(self, obs: Tensor) -> Tensor:
        """An action `[action_dim]` in [-1, 1] for a raw observation `[obs_dim]`."""
        raise NotImplementedError

    def begin(self, seed: int) -> None:
        """Start an episode, with the same noise for the same seed."""
        self.acting.manual_seed(seed)

    @torch.no_grad()
    def predict(self, observation: NDArray[Any], *, deterministic: bool = True) -> tuple[NDArray[np.float32], None]:
        """Actions `[B, action_dim]` in the units of the environment for observations `[B, obs_dim]`, one by one."""
        del deterministic  # each acts as published
        rows = torch.as_tensor(np.asarray(observation), dtype=torch.float32)
        actions = torch.stack([self.act(row) for row in rows]).clamp(-1, 1)
        low, high = self.data.low, self.data.high
        return (low + (actions + 1) / 2 * (high - low)).numpy(), None

    def noise(self, *shape: int) -> Tensor:
        """Normal, for training."""
        return torch.randn(shape, generator=self.generator)

    def state(self) -> dict[str, Any]:
        """All that a resumed training needs."""
        return {
            "weights": self.state_dict(),
            "descents": {name: descent.optimizer.state_dict() for name, descent in self.descents.items()},
            "pool": dict(self.pool),
            "generator": self.generator.get_state(),
            "torch": torch.get_rng_state(),  # of dropout
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`."""
        self.load_state_dict(state["weights"])
        for name, descent in self.descents.items():
            descent.optimizer.load_state_dict(state["descents"][name])
        self.pool = dict(state["pool"])
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["torch"])


def follower(module: Network) -> Network:
    """A copy that takes no gradients."""
    return deepcopy(module).requires_grad_(False)
