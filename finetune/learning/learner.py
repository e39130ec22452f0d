"""What a run asks of whatever learns: to act and to update, and to be measured, exported and resumed."""

from typing import Any, Protocol

from torch import Tensor, nn

from finetune.learning.batch import Batch, Scale

Metrics = dict[str, Tensor]
"""losses and values by name, scalars, detached"""


class Learner(Protocol):
    """An algorithm: `act` and `update` are all that it does; the rest is for a run around it."""

    @property
    def agent(self) -> nn.Module:
        """Everything that learns; a run stops where a parameter is not finite."""

    @property
    def updates(self) -> int:
        """How many were made."""

    def act(self, obs: Tensor) -> Tensor:
        """Actions to try, `[num_envs, action_dim]` in [-1, 1], for raw observations `[num_envs, obs_dim]`."""

    def update(self, batch: Batch) -> Metrics:
        """Learn from one batch of raw transitions."""

    def measure(self, scale: Scale) -> None:
        """Take note of the size of what is seen, before the first update and as more is seen."""

    def finished_agent(self) -> Any:
        """A copy of the agent as it is evaluated; it has `predict`, as Stable-Baselines3's models do."""

    def exported_agent(self, seen: Batch | None) -> Any:
        """The same on the CPU, to be saved; what it says of itself is measured on some of what was seen."""

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed run needs, as tensors and plain values."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a `state_dict`."""
