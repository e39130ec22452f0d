"""IDQL (Hansen-Estruch et al., arXiv 2304.10573): a diffusion imitates the data, a critic chooses among its actions."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.diffusion.denoisers import Activation, mlp, residual_mlp
from benchmarks.diffusion.levels import vp
from benchmarks.diffusion.system import Descent, Stage, System, follower
from benchmarks.diffusion.values import TwinQ, both_errors, expectile_loss
from benchmarks.diffusion.windows import Data, Gaussian


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Of one training."""

    width: int = 256
    blocks: int = 3
    dropout: float = 0.1
    activation: Activation = nn.Mish
    levels: int = 5
    batch: int = 512
    updates: int = 3_000_000
    discount: float = 0.99
    rate: float = 3e-4
    expectile: float = 0.7
    candidates: int = 64
    """actions of which the best is taken"""


PUBLISHED = Settings()
REDUCED = replace(PUBLISHED, activation=nn.SiLU, blocks=1, batch=256, updates=60_000)


class IDQL(System):
    """Behaviour model, twin critics and a value of states.

    Args:
        data: What it learns from.
        settings: Of the training.
        seed: Of everything.
    """

    def __init__(self, data: Data, settings: Settings = REDUCED, seed: int = 0) -> None:
        super().__init__(data, seed)
        self.settings, self.levels, self.normalise = settings, vp(settings.levels), Gaussian(data.steps.obs)
        obs_dim, action_dim, width = data.obs_dim, data.action_dim, settings.width
        sizes = {"blocks": settings.blocks, "dropout": settings.dropout}
        self.behaviour = residual_mlp(action_dim, obs_dim, width, settings.activation, **sizes)  # type: ignore[arg-type]
        self.critic = TwinQ(obs_dim, action_dim, width, 2, nn.ReLU)
        self.value = mlp([obs_dim, width, width, 1], nn.ReLU)
        self.average_behaviour, self.target_critic = follower(self.behaviour).eval(), follower(self.critic)
        self.descents = {
            "behaviour": Descent(self.behaviour, settings.rate, self.average_behaviour, 0.001),
            "critic": Descent(self.critic, settings.rate, self.target_critic, 0.005),
            "value": Descent(self.value, settings.rate),
        }
        returns = data.episode_returns
        self.reward_scale = 1_000 / (returns.max() - returns.min()).clamp(min=1e-6)

    def stages(self) -> list[Stage]:
        """Behaviour and critics know nothing of each other."""
        updates = self.settings.updates
        return [Stage("behaviour", updates, self.update_behaviour), Stage("critics", updates, self.update_critics)]

    def networks(self) -> dict[str, nn.Module]:
        """Denoiser and critic."""
        return {"denoiser": self.average_behaviour, "value": self.target_critic}

    def update_behaviour(self) -> None:
        """The denoising loss of the data's actions, all alike."""
        batch = self.data.transitions(self.data.draw(self.settings.batch, self.generator))
        level, noise = self.levels.draw(len(batch.reward), self.generator), self.noise(*batch.action.shape)
        x = self.levels.noisy(batch.action, level, noise)
        predicted = self.behaviour(x, self.levels.time[level], self.normalise(batch.obs))
        self.descents["behaviour"](F.mse_loss(predicted, noise))

    def update_critics(self) -> None:
        """V is an expectile of min Q̄ over the data's actions; Q is r + γ V(s')."""
        batch = self.data.transitions(self.data.draw(self.settings.batch, self.generator))
        obs = self.normalise(batch.obs)
        with torch.no_grad():
            of_data = self.target_critic(obs, batch.action).amin(0)
        self.descents["value"](expectile_loss(of_data - self.value(obs).squeeze(-1), self.settings.expectile))
        with torch.no_grad():
            following = self.value(self.normalise(batch.next_obs)).squeeze(-1)
            target = batch.reward * self.reward_scale + self.settings.discount * ~batch.terminated * following
        self.descents["critic"](both_errors(self.critic(obs, batch.action), target))

    def act(self, obs: Tensor) -> Tensor:
        """The best of many candidates by min Q̄."""
        same = self.normalise(obs).expand(self.settings.candidates, -1)
        actions = self.candidates(same)
        return actions[self.target_critic(same, actions).amin(0).argmax()]

    def candidates(self, obs: Tensor) -> Tensor:
        """Actions for normalised observations: as published, clipped at every step, with noise of variance β."""
        x = torch.randn(len(obs), self.data.action_dim, generator=self.acting)
        for level in range(len(self.levels), 0, -1):
            noise = self.average_behaviour(x, self.levels.time[level].expand(len(x)), obs)
            x = self.levels.mean(x, level, self.levels.clean(x, level, noise))
            if level > 1:
                x = x + self.levels.beta(level).sqrt() * torch.randn(x.shape, generator=self.acting)
            x = x.clamp(-1, 1)
        return x
