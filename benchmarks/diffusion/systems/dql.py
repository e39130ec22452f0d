"""DQL, Diffusion Q-learning (Wang et al., arXiv 2208.06193): a policy that is a diffusion, pulled towards a critic."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.diffusion.denoisers import Activation, Denoiser, action_mlp
from benchmarks.diffusion.levels import vp
from benchmarks.diffusion.sampling import sample
from benchmarks.diffusion.system import Descent, Stage, System, follower
from benchmarks.diffusion.values import TwinQ, bootstrapped, both_errors
from benchmarks.diffusion.windows import Data, Gaussian
from diffsr_hub.transitions import Transitions


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Of one training."""

    width: int = 256
    activation: Activation = nn.Mish
    levels: int = 5
    batch: int = 256
    updates: int = 2_000_000
    discount: float = 0.99
    rate: float = 3e-4
    towards_critic: float = 1.0
    """η, weight of the critic in the policy's loss"""
    clip: float = 9.0
    candidates: int = 50
    """actions from which one is drawn by their values"""


PUBLISHED = Settings()
REDUCED = replace(PUBLISHED, activation=nn.SiLU, updates=60_000)


class DQL(System):
    """The policy, its average, and twin critics.

    Args:
        data: What it learns from.
        settings: Of the training.
        seed: Of everything.
    """

    def __init__(self, data: Data, settings: Settings = REDUCED, seed: int = 0) -> None:
        super().__init__(data, seed)
        self.settings, self.levels, self.normalise = settings, vp(settings.levels), Gaussian(data.steps.obs)
        sizes = data.obs_dim, data.action_dim
        self.actor = action_mlp(data.action_dim, data.obs_dim, settings.width, settings.activation)
        self.critic = TwinQ(*sizes, settings.width, 3, settings.activation)
        self.average_actor, self.target_critic = follower(self.actor), follower(self.critic)
        self.descents = {
            # Published: a share of 0.005 at every fifth update.
            "actor": Descent(self.actor, settings.rate, self.average_actor, 0.001, settings.clip),
            "critic": Descent(self.critic, settings.rate, self.target_critic, 0.005, settings.clip),
        }

    def stages(self) -> list[Stage]:
        """Policy and critics learn together."""
        return [Stage("policy and critics", self.settings.updates, self.update)]

    def networks(self) -> dict[str, nn.Module]:
        """Denoiser and critic."""
        return {"denoiser": self.average_actor, "value": self.target_critic}

    def update(self) -> None:
        """One update of the critics, then of the policy."""
        batch = self.data.transitions(self.data.draw(self.settings.batch, self.generator))
        obs, next_obs = self.normalise(batch.obs), self.normalise(batch.next_obs)
        self.descents["critic"](self.critic_loss(batch, obs, next_obs))
        self.descents["actor"](self.actor_loss(batch, obs))

    def critic_loss(self, batch: Transitions, obs: Tensor, next_obs: Tensor) -> Tensor:
        """Of r + γ min Q̄(s', a'), a' by the whole chain of the average policy."""
        with torch.no_grad():
            next_action = self.sampled(self.average_actor, next_obs, self.generator)
            discount = self.settings.discount * ~batch.terminated
            target = bootstrapped(batch.reward, discount, self.target_critic(next_obs, next_action))
        return both_errors(self.critic(obs, batch.action), target)

    def actor_loss(self, batch: Transitions, obs: Tensor) -> Tensor:
        """Imitation, and the critics' value of an action whose whole chain has a gradient."""
        level = self.levels.draw(len(obs), self.generator)
        noise = self.noise(*batch.action.shape)
        predicted = self.actor(self.levels.noisy(batch.action, level, noise), self.levels.time[level], obs)
        values = self.critic(obs, self.sampled(self.actor, obs, self.generator))
        if torch.rand((), generator=self.generator) < 0.5:
            values = values.flip(0)
        value = values[0].mean() / values[1].abs().mean().detach()
        return F.mse_loss(predicted, noise) - self.settings.towards_critic * value

    def sampled(self, actor: Denoiser, obs: Tensor, generator: torch.Generator) -> Tensor:
        """Actions for normalised observations, `[B, action_dim]`."""

        def predict(x: Tensor, level: int) -> Tensor:
            noise = actor(x, self.levels.time[level].expand(len(x)), obs)
            return self.levels.clean(x, level, noise).clamp(-1, 1)

        return sample(self.levels, predict, (len(obs), self.data.action_dim), generator).clamp(-1, 1)

    def act(self, obs: Tensor) -> Tensor:
        """One of many candidates, drawn by softmax of their values."""
        same = self.normalise(obs).expand(self.settings.candidates, -1)
        actions = self.sampled(self.average_actor, same, self.acting)
        weight = self.target_critic(same, actions).amin(0).softmax(0)
        return actions[torch.multinomial(weight, 1, generator=self.acting)[0]]
