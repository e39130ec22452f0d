"""DiffSR: ψ, ν, the statistics of the data and the noise schedule in one module that can be saved and loaded."""

import reprlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn

from diffsr_hub.errors import UserError
from diffsr_hub.model.diffusion import denoising_residual, reverse_diffusion
from diffsr_hub.model.env_check import check_env
from diffsr_hub.model.features import RandomFourierFeatures
from diffsr_hub.model.networks import MLP, ResidualMLP
from diffsr_hub.model.schedule import NoiseSchedule, ScheduleName
from diffsr_hub.model.score import GradientScore, MatrixScore
from diffsr_hub.saved import model_folder
from diffsr_hub.transitions import Transitions

ScoreName = Literal["gradient", "matrix"]
MAX_SIZE, MAX_LAYERS = 65_536, 64
PSI_NETWORKS = {"mlp": MLP, "residual": ResidualMLP}


class DiffSR(nn.Module):
    """The Diffusion Spectral Representation of a transition model (Shribak et al., 2024, arXiv 2406.16121).

    P(s̃' | s, a; level) ∝ exp(ψ(s,a)ᵀ ν(s̃', level)): an energy-based model whose score needs no normaliser. All methods
    take raw observations; actions are in [−1, 1] (one-hot where they are discrete), as `diffsr_hub.data` gives them.
    Leading shapes are free: `[]`, `[B]`, `[B, T]`. Observation and action share theirs; those of the next observation
    and of the level broadcast against it, so that one transition can be asked about all levels at once.

    Args:
        obs_dim: Size of an observation.
        action_dim: Size of an action.
        feature_dim: Size d of ψ and ν.
        psi_hidden: Widths of ψ's hidden layers.
        nu_hidden: Widths of the hidden layers of ν (or of ζ).
        psi_network: `mlp`, or `residual` as in the authors' code.
        score: `gradient` takes the score from a real ν; `matrix` models its Jacobian ζ as the authors did, and then
            `nu` and `energy` do not exist.
        num_levels: Number K of noise levels.
        schedule: `vp`, `linear` or `cosine`.
        num_frequencies: Number m of random frequencies of `features`.
        predict_reward: Whether there is a linear head that predicts the reward from ψ.

    Raises:
        UserError: A size is not a positive integer of reasonable size, or a name is unknown.
    """

    obs_mean: Tensor
    """`[obs_dim]`, mean of the training observations."""
    obs_std: Tensor
    """`[obs_dim]`, their standard deviation."""
    reward_mean: Tensor
    """`[]`"""
    reward_std: Tensor
    """`[]`"""
    unexplained: Tensor
    """`[K, obs_dim]`, mean squared denoising residual on training data, 0 before it is known (`reverse_diffusion`)."""

    def __init__(
        self,
        obs_dim: int,
        action_dim: int,
        *,
        feature_dim: int = 128,
        psi_hidden: Sequence[int] = (256, 256),
        nu_hidden: Sequence[int] = (256,),
        psi_network: Literal["mlp", "residual"] = "mlp",
        score: ScoreName = "gradient",
        num_levels: int = 50,
        schedule: ScheduleName = "vp",
        num_frequencies: int = 256,
        predict_reward: bool = False,
    ) -> None:
        super().__init__()
        self.arguments: dict[str, Any] = {
            "obs_dim": obs_dim,
            "action_dim": action_dim,
            "feature_dim": feature_dim,
            "psi_hidden": psi_hidden,
            "nu_hidden": nu_hidden,
            "psi_network": psi_network,
            "score": score,
            "num_levels": num_levels,
            "schedule": schedule,
            "num_frequencies": num_frequencies,
            "predict_reward": predict_reward,
        }
        _check(self.arguments)
        self.arguments |= {"psi_hidden": list(psi_hidden), "nu_hidden": list(nu_hidden)}
        self.psi_network = PSI_NETWORKS[psi_network](obs_dim + action_dim, psi_hidden, feature_dim)
        score_network = GradientScore if score == "gradient" else MatrixScore
        self.score_network = score_network(NoiseSchedule(schedule, num_levels), obs_dim, feature_dim, nu_hidden)
        self.fourier = RandomFourierFeatures(feature_dim, num_frequencies)
        self.reward_head = nn.Linear(feature_dim, 1) if predict_reward else None
        self.register_buffer("obs_mean", torch.zeros(obs_dim))
        self.register_buffer("obs_std", torch.ones(obs_dim))
        self.register_buffer("reward_mean", torch.zeros(()))
        self.register_buffer("reward_std", torch.ones(()))
        self.register_buffer("unexplained", torch.zeros(num_levels, obs_dim))

    @property
    def schedule(self) -> NoiseSchedule:
        """The noise levels, owned by the score network."""
        return self.score_network.schedule

    def set_statistics(self, obs_mean: Tensor, obs_std: Tensor, reward_mean: Tensor, reward_std: Tensor) -> None:
        """Take the statistics of the training data into the buffers.

        Raises:
            UserError: A standard deviation is zero, negative or not finite; a column that never changes needs one.
        """
        for name, std in (("obs_std", obs_std), ("reward_std", reward_std)):
            if not (std.isfinite() & (std > 0)).all():
                raise UserError(f"{name} must be positive and finite everywhere")
        self.obs_mean.copy_(obs_mean)
        self.obs_std.copy_(obs_std)
        self.reward_mean.copy_(reward_mean)
        self.reward_std.copy_(reward_std)

    def normalize(self, obs: Tensor) -> Tensor:
        """(obs − mean) / std, `[..., obs_dim]`."""
        return (obs.to(self.obs_mean.dtype) - self.obs_mean) / self.obs_std

    def psi(self, obs: Tensor, action: Tensor) -> Tensor:
        """ψ(s, a), `[..., feature_dim]`, of raw observations and actions in [−1, 1]; independent of the noise level."""
        return self.psi_network(torch.cat([self.normalize(obs), action.to(self.obs_mean.dtype)], dim=-1))

    def features(self, obs: Tensor, action: Tensor) -> Tensor:
        """φ_ω(s, a) = [sin ωᵀψ, cos ωᵀψ] / √m, `[..., 2m]`: Q is linear in it, up to a positive scalar of (s, a)."""
        return self.fourier(self.psi(obs, action))

    def nu(self, next_obs: Tensor, level: Tensor) -> Tensor:
        """ν(s̃', level), `[..., feature_dim]`; raw (noisy) next observations, integer levels, 0 = least noise."""
        return self._gradient_score("nu").nu(self.normalize(next_obs), level)

    def energy(self, obs: Tensor, action: Tensor, next_obs: Tensor, level: Tensor) -> Tensor:
        """ψ(s,a)ᵀ ν(s̃', level), `[...]`: the log density of s̃' up to a constant of (s, a, level)."""
        self._gradient_score("energy")
        return (self.psi(obs, action) * self.nu(next_obs, level)).sum(-1)

    def score(self, obs: Tensor, action: Tensor, next_obs: Tensor, level: Tensor) -> Tensor:
        """∇_{s̃'} log P(s̃' | s, a; level), `[..., obs_dim]`, in raw units: the gradient of `energy` in `next_obs`."""
        psi, noisy = self.psi(obs, action), self.normalize(next_obs)
        return self.score_network(psi, noisy, level) / self.obs_std

    def denoising_residual(self, batch: Transitions, level: Tensor, noise: Tensor) -> Tensor:
        """Error of the predicted noise for a batch, `[..., obs_dim]`; its mean square is the loss of Algorithm 1."""
        psi, clean = self.psi(batch.obs, batch.action), self.normalize(batch.next_obs)
        return denoising_residual(self.score_network, self.schedule, psi, clean, level, noise)

    def predict_reward(self, obs: Tensor, action: Tensor) -> Tensor:
        """The reward expected after (s, a), `[...]`, in the units of the data."""
        if self.reward_head is None:
            raise UserError("this encoder has no reward head; pretrain with --reward_coef 0.1 to get one")
        return self.reward_head(self.psi(obs, action)).squeeze(-1) * self.reward_std + self.reward_mean

    @torch.no_grad()
    def sample_next_obs(self, obs: Tensor, action: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw s' ~ P(· | s, a), `[..., obs_dim]` raw, by reverse diffusion through all levels.

        A diagnostic of what the representation knows, never needed for control.
        """
        psi = self.psi(obs, action)
        sample = reverse_diffusion(self.score_network, self.schedule, psi, self.unexplained, generator)
        return sample * self.obs_std + self.obs_mean

    def save_pretrained(self, folder: str | Path) -> None:
        """Write `config.json` and `model.safetensors` into `folder`, one after the other, each whole or not at all.

        Raises:
            UserError: The weights are not finite, or not float32; nothing is written.
        """
        if (found := {tensor.dtype for tensor in self.state_dict().values()}) != {torch.float32}:
            raise UserError(f"this encoder is {', '.join(map(str, found))}; only float32 is saved: call .float() first")
        model_folder.save(Path(folder), "DiffSR", self.arguments, self.state_dict())

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
        """Load an encoder from a folder or from the Hugging Face Hub, strictly, in evaluation mode.

        Args:
            source: A folder with `config.json` and `model.safetensors`, or a repository such as `org/diffsr-hopper`.
            revision: Branch, tag or commit of the repository.
            local_files_only: Use only what is cached.
            token: Access token, where the environment's is not the right one.
            env: A Gymnasium environment (or a vector of them) whose spaces the encoder must fit.

        Raises:
            UserError: It is not there, not an encoder, of a newer format, or does not fit its configuration or `env`.
        """
        model = model_folder.load(cls, source, revision=revision, local_files_only=local_files_only, token=token)
        if env is not None:
            check_env(model.arguments, env)
        return model

    def _gradient_score(self, method: str) -> GradientScore:
        if not isinstance(self.score_network, GradientScore):
            raise UserError(f"{method} needs ν, which an encoder with score='matrix' does not have")
        return self.score_network


def _check(arguments: dict[str, Any]) -> None:
    """Refuse sizes and names that no encoder has, before anything is allocated."""
    for name in ("obs_dim", "action_dim", "feature_dim", "num_levels", "num_frequencies"):
        check_size(name, arguments[name])
    for name in ("psi_hidden", "nu_hidden"):
        check_widths(name, arguments[name])
    names = {"psi_network": list(PSI_NETWORKS), "score": ["gradient", "matrix"], "schedule": ["vp", "linear", "cosine"]}
    for name, valid in names.items():
        if arguments[name] not in valid:
            raise UserError(f"{name} is {_short(arguments[name])}; choose one of {', '.join(valid)}")
    for choice, value, widths in (("psi_network", "residual", "psi_hidden"), ("score", "matrix", "nu_hidden")):
        if arguments[choice] == value and len(set(arguments[widths])) > 1:
            raise UserError(f"{widths} must be equal widths for {choice}={value!r}, got {_short(arguments[widths])}")
    if not isinstance(arguments["predict_reward"], bool):
        raise UserError(f"predict_reward must be true or false, got {_short(arguments['predict_reward'])}")


def check_widths(name: str, widths: object) -> None:
    """Refuse hidden layers that no network of ours has.

    Raises:
        UserError: Not a list of positive integers of reasonable size.
    """
    if not isinstance(widths, list | tuple) or not 1 <= len(widths) <= MAX_LAYERS:
        raise UserError(f"{name} must be a list of 1 to {MAX_LAYERS} widths, got {_short(widths)}")
    for width in widths:
        check_size(f"every width of {name}", width)


def check_size(name: str, size: object) -> None:
    """Refuse a size that no network of ours has.

    Raises:
        UserError: Not a positive integer of reasonable size.
    """
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= MAX_SIZE:
        raise UserError(f"{name} must be an integer from 1 to {MAX_SIZE:,}, got {_short(size)}")


def _short(value: object) -> str:
    """A value from a file for a message: the file may be hostile, the message stays one short line."""
    return reprlib.repr(value)
