"""Agent: a policy and its critics on top of an encoder, in one module that can be saved and loaded."""

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from diffsr_hub.errors import UserError, plain
from diffsr_hub.model.encoder import DiffSR
from diffsr_hub.model.env_check import check_env
from diffsr_hub.saved import model_folder
from finetune.agent.actor import make_actor
from finetune.agent.config import AgentConfig
from finetune.agent.critic import TwinCritic


class Agent(nn.Module):
    """What Algorithm 2 leaves behind: acts with one forward pass of its policy, and values with one of ψ.

    Args:
        encoder: Arguments of `DiffSR`.
        env_id: Gymnasium id that it learned in.
        action_low: Lowest action of the environment, `[action_dim]`.
        action_high: Highest action.
        choices: The other fields of `AgentConfig`, such as `policy="deterministic"`.

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
        **choices: Any,
    ) -> None:
        super().__init__()
        self.encoder = _encoder(encoder)
        sizes = self.encoder.config
        self.config = AgentConfig(
            encoder=self.encoder.arguments, env_id=env_id, action_low=action_low, action_high=action_high, **choices
        )
        self.config.check_bounds(sizes.action_dim)
        self.critic = TwinCritic(sizes.feature_dim, self.config.critic_frequencies, self.config.bandwidth)
        self.actor = make_actor(self.config, self.encoder.observe.out_dim, sizes.action_dim)
        self.register_buffer("reward_scale", torch.ones(()))
        self.low, self.high = _rounded_inwards(action_low, np.inf), _rounded_inwards(action_high, -np.inf)
        self.centre, self.half_range = (self.high + self.low) / 2, (self.high - self.low) / 2

    @property
    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments as JSON values."""
        return self.config.as_json()

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return self.reward_scale.device

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
        obs = torch.as_tensor(np.asarray(observation, np.float32)).to(self.device)
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
        return np.clip(action.cpu().numpy() * self.half_range + self.centre, self.low, self.high)

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


def _rounded_inwards(bound: Sequence[float], inwards: float) -> NDArray[np.float32]:
    """The nearest float32 that are not beyond a bound: the action space may be one of float64."""
    exact = np.asarray(bound, np.float64)
    nearest = exact.astype(np.float32)
    beyond = (nearest - exact) * np.sign(inwards) < 0
    return np.where(beyond, np.nextafter(nearest, np.float32(inwards)), nearest)


# Tools and `model_folder.load` ask for the names of the arguments; their defaults and types are those of the dataclass.
Agent.__signature__ = inspect.signature(AgentConfig)  # type: ignore[attr-defined]
