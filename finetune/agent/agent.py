"""Agent: a policy and its critics on top of an encoder, in one module that can be saved and loaded."""

import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from diffsr_hub.checks import check_size, check_widths
from diffsr_hub.errors import UserError, plain
from diffsr_hub.model.encoder import DiffSR
from diffsr_hub.model.env_check import check_env
from diffsr_hub.saved import model_folder
from finetune.agent.actor import Actor, DeterministicActor, GaussianActor
from finetune.agent.critic import TwinCritic

PolicyName = Literal["deterministic", "maximum_entropy"]


class Agent(nn.Module):
    """What Algorithm 2 leaves behind: acts with one forward pass of its policy, and values with one of ψ.

    Args:
        encoder: Arguments of `DiffSR`.
        env_id: Gymnasium id that it learned in.
        action_low: Lowest action of the environment, `[action_dim]`.
        action_high: Highest action.
        policy: `deterministic` or `maximum_entropy`.
        actor_hidden: Widths of the policy's hidden layers.
        critic_frequencies: Frequencies of each critic.
        bandwidth: Standard deviation of the angles ωᵀψ at the start, in radians.
        exploration_noise: Standard deviation of a deterministic policy's noise, on actions in [-1, 1].

    Raises:
        UserError: A size or a name is not one that an agent can have.
    """

    reward_scale: Tensor
    """`[]`, the mean size of a reward, in which the critics count"""

    def __init__(
        self,
        encoder: Mapping[str, Any],
        env_id: str,
        action_low: Sequence[float],
        action_high: Sequence[float],
        *,
        policy: PolicyName = "deterministic",
        actor_hidden: Sequence[int] = (256, 256),
        critic_frequencies: int = 256,
        bandwidth: float = 1.0,
        exploration_noise: float = 0.1,
    ) -> None:
        super().__init__()
        self.encoder = _encoder(encoder)
        obs_dim, action_dim = self.encoder.arguments["obs_dim"], self.encoder.arguments["action_dim"]
        _check_bounds(action_low, action_high, action_dim)
        self.arguments: dict[str, Any] = {
            "encoder": self.encoder.arguments,
            "env_id": env_id,
            "action_low": list(action_low),
            "action_high": list(action_high),
            "policy": policy,
            "actor_hidden": list(actor_hidden),
            "critic_frequencies": critic_frequencies,
            "bandwidth": bandwidth,
            "exploration_noise": exploration_noise,
        }
        _check(self.arguments)
        self.critic = TwinCritic(self.encoder.arguments["feature_dim"], critic_frequencies, bandwidth)
        self.actor: Actor
        if policy == "deterministic":
            self.actor = DeterministicActor(obs_dim, action_dim, actor_hidden, exploration_noise)
        else:
            self.actor = GaussianActor(obs_dim, action_dim, actor_hidden)
        self.register_buffer("reward_scale", torch.ones(()))
        self.low, self.high = _rounded_inwards(action_low, np.inf), _rounded_inwards(action_high, -np.inf)
        self.centre, self.half_range = (self.high + self.low) / 2, (self.high - self.low) / 2

    @torch.no_grad()
    def predict(
        self,
        observation: NDArray[Any],
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[np.float32], Any]:
        """Act, with the signature of Stable-Baselines3's models.

        Args:
            observation: Raw, `[obs_dim]` or `[B, obs_dim]`.
            state: Returned as it is; the agent has no memory.
            episode_start: Not needed.
            deterministic: The policy's best action; else one of exploration, drawn from torch's global generator.

        Returns:
            Actions in the units of the environment, `[action_dim]` or `[B, action_dim]`, and `state`.

        Raises:
            UserError: The observation has another size.
        """
        obs = torch.as_tensor(np.asarray(observation, np.float32))
        if obs.shape[-1:] != self.encoder.obs_mean.shape:
            raise UserError(
                f"the observation has the shape {tuple(obs.shape)}, and this agent observes "
                f"{len(self.encoder.obs_mean)} numbers"
            )
        obs = self.encoder.normalize(obs)
        action = self.actor.mode(obs) if deterministic else self.actor.explore(obs)
        return self.to_env(action), state

    def value(self, obs: Tensor, action: Tensor) -> Tensor:
        """Q of both critics, `[2, B]`, in units of reward; raw observations, actions in [-1, 1]."""
        return self.critic(self.encoder.psi(obs, action)) * self.reward_scale

    def to_env(self, action: Tensor) -> NDArray[np.float32]:
        """Actions in [-1, 1] to the units of the environment, within its bounds."""
        return np.clip(action.numpy() * self.half_range + self.centre, self.low, self.high)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write `config.json` and `model.safetensors` into `folder`, each whole or not at all.

        Raises:
            UserError: The weights are not finite; nothing is written.
        """
        model_folder.save(Path(folder), "Agent", self.arguments, self.state_dict())

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path,
        *,
        revision: str | None = None,
        local_files_only: bool = False,
        token: str | None = None,
        env: Any = None,
    ) -> Self:
        """Load an agent from a folder or from the Hugging Face Hub, strictly, in evaluation mode.

        Args:
            source: A folder with `config.json` and `model.safetensors`, or a repository.
            revision: Branch, tag or commit of the repository.
            local_files_only: Use only what is cached.
            token: Access token, where the environment's is not the right one.
            env: A Gymnasium environment (or a vector of them) whose spaces the agent must fit: its actions are a Box
                with the bounds of those that the agent learned with.

        Raises:
            UserError: It is not there, not an agent, of a newer format, or does not fit its configuration or `env`.
        """
        model = model_folder.load(cls, source, revision=revision, local_files_only=local_files_only, token=token)
        if env is not None:
            check_env(model.encoder.arguments, env, (model.arguments["action_low"], model.arguments["action_high"]))
        return model


def _encoder(arguments: Mapping[str, Any]) -> DiffSR:
    try:
        return DiffSR(**arguments)
    except TypeError as error:
        raise UserError(f"encoder does not hold the arguments of a DiffSR: {plain(error)}") from error


def _check(arguments: Mapping[str, Any]) -> None:
    """Refuse what no agent has, before anything is allocated."""
    check_size("critic_frequencies", arguments["critic_frequencies"])
    check_widths("actor_hidden", arguments["actor_hidden"])
    if arguments["policy"] not in ("deterministic", "maximum_entropy"):
        raise UserError(f"policy is {reprlib.repr(arguments['policy'])}; choose one of deterministic, maximum_entropy")
    if not isinstance(arguments["env_id"], str):
        raise UserError(f"env_id must be a Gymnasium id, got {reprlib.repr(arguments['env_id'])}")
    for name in ("bandwidth", "exploration_noise"):
        if not _is_number(arguments[name]) or arguments[name] < 0:
            raise UserError(f"{name} must be a number that is not negative, got {reprlib.repr(arguments[name])}")


def _check_bounds(low: Sequence[float], high: Sequence[float], action_dim: int) -> None:
    """Refuse bounds that no action space of ours has."""
    for name, bound in (("action_low", low), ("action_high", high)):
        if not isinstance(bound, list | tuple) or len(bound) != action_dim or not all(map(_is_number, bound)):
            raise UserError(f"{name} must be a list of {action_dim} finite numbers, got {reprlib.repr(bound)}")
    if not all(a < b for a, b in zip(low, high, strict=True)):
        raise UserError(f"action_low must be below action_high, got {reprlib.repr(low)} and {reprlib.repr(high)}")


def _rounded_inwards(bound: Sequence[float], inwards: float) -> NDArray[np.float32]:
    """The nearest float32 that are not beyond a bound: the action space may be one of float64."""
    exact = np.asarray(bound, np.float64)
    nearest = exact.astype(np.float32)
    beyond = (nearest - exact) * np.sign(inwards) < 0
    return np.where(beyond, np.nextafter(nearest, np.float32(inwards)), nearest)


def _is_number(value: object) -> bool:
    """Whether it is a number of float32, with some room for sums."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e38
