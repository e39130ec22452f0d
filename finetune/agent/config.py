"""The arguments of an agent: their types, defaults, meanings and checks, in the one place that spells them.

`config.json` holds them, `Agent` takes them as keywords, and the settings of an online run inherit `PolicyAndCritics`.
"""

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from diffsr_hub.checks import check_choice, check_size, check_widths
from diffsr_hub.errors import UserError

PolicyName = Literal["deterministic", "maximum_entropy"]


@dataclass(frozen=True, kw_only=True)
class EncoderAndTask:
    """What the encoder and the environment decide."""

    encoder: Mapping[str, Any]
    """Arguments of its `DiffSR`."""
    env_id: str
    """Gymnasium id that it learned in."""
    action_low: Sequence[float]
    """Lowest action of the environment, `[action_dim]`."""
    action_high: Sequence[float]
    """Highest action."""


@dataclass(frozen=True, kw_only=True)
class PolicyAndCritics:
    """What a user decides."""

    policy: PolicyName = "deterministic"
    """deterministic: as TD3, with noise on its actions; maximum_entropy: as SAC."""
    actor_hidden: tuple[int, ...] = (256, 256)
    """Widths of the policy's hidden layers."""
    critic_frequencies: int = 256
    """Random Fourier frequencies of each critic, which is linear in their sines and cosines; they are trained."""
    bandwidth: float = 1.0
    """Standard deviation of the angles ωᵀψ at the start, in radians."""
    exploration_noise: float = 0.1
    """Standard deviation of the noise of a deterministic policy's actions, which are in [-1, 1]."""

    def __post_init__(self) -> None:
        """Refuse what no agent has, before anything is allocated."""
        check_size("critic_frequencies", self.critic_frequencies)
        check_widths("actor_hidden", self.actor_hidden)
        object.__setattr__(self, "actor_hidden", tuple(self.actor_hidden))  # JSON has lists
        check_choice("policy", self.policy, get_args(PolicyName))
        for name in ("bandwidth", "exploration_noise"):
            value = getattr(self, name)
            if not _is_number(value) or value < 0:
                raise UserError(f"{name} must be a number that is not negative, got {reprlib.repr(value)}")


@dataclass(frozen=True, kw_only=True)
class AgentConfig(PolicyAndCritics, EncoderAndTask):
    """All arguments of an agent, in the order of `config.json`.

    Raises:
        UserError: A size or a name is not one that an agent can have.
    """

    def __post_init__(self) -> None:
        """Refuse what no agent has."""
        super().__post_init__()
        if not isinstance(self.env_id, str):
            raise UserError(f"env_id must be a Gymnasium id, got {reprlib.repr(self.env_id)}")

    def check_bounds(self, action_dim: int) -> None:
        """Refuse bounds that no action space of so many numbers has.

        Raises:
            UserError: They are not finite numbers, of another number, or not the lower below the higher.
        """
        low, high = self.action_low, self.action_high
        for name, bound in (("action_low", low), ("action_high", high)):
            if not isinstance(bound, list | tuple) or len(bound) != action_dim or not all(map(_is_number, bound)):
                raise UserError(f"{name} must be a list of {action_dim} finite numbers, got {reprlib.repr(bound)}")
        if not all(a < b for a, b in zip(low, high, strict=True)):
            raise UserError(f"action_low must be below action_high, got {reprlib.repr(low)} and {reprlib.repr(high)}")

    def as_json(self) -> dict[str, Any]:
        """The arguments as JSON values, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _is_number(value: object) -> bool:
    """Whether it is a number of float32, with some room for sums."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e38
