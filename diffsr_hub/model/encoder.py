"""DiffSR: ψ, ν, the statistics of the data and the noise schedule in one module that can be saved and loaded."""

import inspect
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from diffsr_hub.errors import UserError
from diffsr_hub.model.diffusion import denoising_residual, reverse_diffusion
from diffsr_hub.model.encoder_config import EncoderConfig, PsiName, ScoreName
from diffsr_hub.model.env_check import check_env
from diffsr_hub.model.features import RandomFourierFeatures
from diffsr_hub.model.networks import MLP, ResidualMLP
from diffsr_hub.model.observe import Images, Numbers
from diffsr_hub.model.schedule import NoiseSchedule
from diffsr_hub.model.score import GradientScore, MatrixScore
from diffsr_hub.saved import model_folder
from diffsr_hub.transitions import Transitions

PSI_NETWORKS: dict[PsiName, type[MLP | ResidualMLP]] = {"mlp": MLP, "residual": ResidualMLP}
SCORE_NETWORKS: dict[ScoreName, type[GradientScore | MatrixScore]] = {"gradient": GradientScore, "matrix": MatrixScore}


class DiffSR(nn.Module):
    """The Diffusion Spectral Representation of a transition model (Shribak et al., 2024, arXiv 2406.16121).

    P(s̃' | s, a; level) ∝ exp(ψ(s,a)ᵀ ν(s̃', level)): an energy-based model whose score needs no normaliser. All methods
    take raw observations; actions are in [−1, 1] (one-hot where they are discrete), as `diffsr_hub.data` gives them.
    Leading shapes are free: `[]`, `[B]`, `[B, T]`. Observation and action share theirs; those of the next observation
    and of the level broadcast against it, so that one transition can be asked about all levels at once.

    Args:
        obs_dim: Size of an observation.
        action_dim: Size of an action.
        arguments: The other fields of `EncoderConfig`, such as `feature_dim=128`.

    Raises:
        UserError: A size is not a positive integer of reasonable size, or a name is unknown.
    """

    obs_mean: Tensor
    """`[observe.out_dim]`, mean of the training observations."""
    obs_std: Tensor
    """`[observe.out_dim]`, their standard deviation."""
    reward_mean: Tensor
    """`[]`"""
    reward_std: Tensor
    """`[]`"""
    unexplained: Tensor
    """`[K, observe.out_dim]`, mean squared denoising residual on training data, 0 before it is known
    (`reverse_diffusion`)."""

    def __init__(self, obs_dim: int, action_dim: int, **arguments: Any) -> None:
        super().__init__()
        config = self.config = EncoderConfig(obs_dim=obs_dim, action_dim=action_dim, **arguments)
        self.observe = Images(config.obs_shape, obs_dim) if config.obs_shape else Numbers(obs_dim)
        size, levels = self.observe.out_dim, NoiseSchedule(config.schedule, config.num_levels)
        self.psi_network = PSI_NETWORKS[config.psi_network](size + action_dim, config.psi_hidden, config.feature_dim)
        self.score_network = SCORE_NETWORKS[config.score](levels, size, config.feature_dim, config.nu_hidden)
        self.fourier = RandomFourierFeatures(config.feature_dim, config.num_frequencies)
        self.reward_head = nn.Linear(config.feature_dim, 1) if config.predict_reward else None
        self.register_buffer("obs_mean", torch.zeros(size))
        self.register_buffer("obs_std", torch.ones(size))
        self.register_buffer("reward_mean", torch.zeros(()))
        self.register_buffer("reward_std", torch.ones(()))
        self.register_buffer("unexplained", torch.zeros(config.num_levels, size))

    @property
    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments as JSON values."""
        return self.config.as_json()

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
        """(observe(obs) − mean) / std, `[..., observe.out_dim]`: what ψ reads and the diffusion predicts."""
        return (self.observe(obs).to(self.obs_mean.dtype) - self.obs_mean) / self.obs_std

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


# Tools and `model_folder.load` ask for the names of the arguments; their defaults and types are those of the dataclass.
DiffSR.__signature__ = inspect.signature(EncoderConfig)  # type: ignore[attr-defined]
