"""Algorithm 2's updates: representation, critics, policy, moving averages (method, section 4)."""

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diffsr_hub.checks import at_least_one, in_unit_interval, not_negative, positive
from diffsr_hub.model.diffusion import denoising_residual, diffsr_loss
from finetune.agent.agent import Agent
from finetune.learning.batch import Batch, Scale
from finetune.learning.learner import Metrics
from finetune.learning.remeasure import remeasure

SMALLEST_STD = 1e-3
"""of an observation, in its own units, where the statistics come from few steps"""


@dataclass(frozen=True, kw_only=True)
class LearnerConfig:
    """The updates of Algorithm 2."""

    tau: float = 0.005
    """Share of the newest weights that enters the moving averages at every update."""
    average_policy: bool = False
    """Whether the policy that is evaluated and exported is a moving average of the one that learns."""
    learning_rate: float = 1e-3
    """Of Adam, for critics and policy."""
    policy_delay: int = 2
    """Updates of the critics per update of the policy."""
    representation_rate: float = 3e-4
    """Learning rate of ψ and ν, where they learn."""
    reward_coef: float = 0.1
    """Weight of the prediction of the reward from ψ, in units of the reward's scale."""
    representation_every: int = 1
    """Updates of the critics per update of the representation, where it learns."""
    imitate: Literal["better", "successes"] = "better"
    """Which offline actions: those that the critics prefer to the policy's; or those of all episodes that are noted as
    successes, for tasks whose rewards lead elsewhere: then these are half of the offline data."""

    def __post_init__(self) -> None:
        """Refuse settings with which nothing can be learned."""
        at_least_one(self, "policy_delay", "representation_every")
        not_negative(self, "reward_coef")
        positive(self, "learning_rate", "representation_rate")
        in_unit_interval(self, "tau")


class DiffSRLearner:
    """Improves an agent by Algorithm 2.

    Where ψ learns, critics and policy see a moving average of it, so that what they stand on moves slowly; ν has one
    too, as the average of ψ belongs to the average of ν. The exported policy can be a moving average: the newest one
    may fail where those before and after it succeed.

    Args:
        agent: Changed in place.
        config: Of the updates.
        learns_representation: Whether ψ and ν learn too; they stay bit for bit as they are otherwise.
        representation_starts: Number of the first update in which they do.
        measures_obs: Whether the statistics of the observations are taken from what is seen, as there are none yet.
        generator: Source of all noise.
    """

    def __init__(
        self,
        agent: Agent,
        config: LearnerConfig,
        *,
        learns_representation: bool,
        representation_starts: int = 0,
        measures_obs: bool = False,
        generator: torch.Generator,
    ) -> None:
        self.agent, self.config, self.generator = agent, config, generator
        self.learns_representation, self.representation_starts = learns_representation, representation_starts
        self.measures_obs = measures_obs
        encoder = agent.encoder.requires_grad_(learns_representation)
        self.target_critic = _frozen_copy(agent.critic)
        self.target_psi: nn.Module = encoder.psi_network
        self.target_score: nn.Module = encoder.score_network
        if learns_representation:
            self.target_psi, self.target_score = _frozen_copy(self.target_psi), _frozen_copy(self.target_score)
        self.exported_actor = _frozen_copy(agent.actor) if config.average_policy else agent.actor
        self.reward_head = nn.Linear(encoder.arguments["feature_dim"], 1, device=encoder.obs_mean.device)
        self.updates = 0
        self.critic_optimizer = _adam(agent.critic.parameters(), config.learning_rate)
        self.actor_optimizer = _adam(agent.actor.parameters(), config.learning_rate)
        learned = (encoder.psi_network, encoder.score_network, self.reward_head)
        self.encoder_optimizer = _adam((p for m in learned for p in m.parameters()), config.representation_rate)
        averages: dict[nn.Module, nn.Module] = {self.target_critic: agent.critic}
        if learns_representation:
            averages |= {self.target_psi: encoder.psi_network, self.target_score: encoder.score_network}
        if config.average_policy:
            averages[self.exported_actor] = agent.actor
        self.averages: list[Tensor] = [p for target in averages for p in target.parameters()]
        self.followed: list[Tensor] = [p for newest in averages.values() for p in newest.parameters()]

    @torch.no_grad()
    def act(self, obs: Tensor) -> Tensor:
        """Actions to try, `[num_envs, action_dim]` in [-1, 1], for raw observations `[num_envs, obs_dim]`."""
        return self.agent.actor.explore(self.agent.encoder.normalize(obs), self.generator)

    def update(self, batch: Batch) -> Metrics:
        """One update of everything on one raw batch `[B]`."""
        batch = self._normalized(batch)
        metrics: Metrics = {}
        if self._moves_representation():
            metrics |= self._update_representation(batch)
        with torch.no_grad():
            psi = self._psi(batch.obs, batch.action)
        metrics |= self._update_critic(batch, psi)
        if self.updates % self.config.policy_delay == 0:
            metrics |= self._update_actor(batch, psi)
        follow(self.averages, self.followed, self.config.tau)
        self.updates += 1
        return metrics

    def measure(self, scale: Scale) -> None:
        """Take the scale of the rewards, and the statistics of the observations where there are none yet."""
        agent = self.agent
        agent.reward_scale.copy_(scale.reward if scale.reward > 0 else torch.ones(()))
        if self.measures_obs:
            zero, one = torch.zeros(()), torch.ones(())
            agent.encoder.set_statistics(scale.obs_mean, scale.obs_std.clamp(min=SMALLEST_STD), zero, one)

    def _moves_representation(self) -> bool:
        due = self.updates % self.config.representation_every == 0
        return self.learns_representation and self.updates >= self.representation_starts and due

    def td_target(self, batch: Batch) -> Tensor:
        """R + γᵏ (min_i Q̄_i(s', a') − α log π(a'|s')), `[B]`, a' from the policy; of a normalised batch."""
        with torch.no_grad():
            action, log_density = self.agent.actor.target(batch.bootstrap_obs, self.generator)
            value = self.target_critic(self._psi(batch.bootstrap_obs, action)).amin(0)
            value = value - self.agent.actor.entropy_coef * log_density
            return torch.addcmul(batch.n_step_return, batch.bootstrap_discount, value)

    def finished_agent(self) -> Agent:
        """A copy of the agent with the policy that is exported, and the averages of ψ, on which it learned, and ν."""
        agent = deepcopy(self.agent).eval()
        agent.actor.load_state_dict(self.exported_actor.state_dict())
        agent.encoder.psi_network.load_state_dict(self.target_psi.state_dict())
        agent.encoder.score_network.load_state_dict(self.target_score.state_dict())
        return agent

    def exported_agent(self, seen: Batch | None) -> Agent:
        """The same on the CPU; what its encoder answers is true of the ψ that it holds."""
        agent = self.finished_agent().cpu()
        if self.learns_representation and seen is not None:
            remeasure(agent.encoder, seen)
        return agent

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed run needs of it, as tensors and numbers."""
        return {name: part.state_dict() for name, part in self._parts().items()} | {"updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a `state_dict`."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self.updates = state["updates"]

    def _parts(self) -> dict[str, Any]:
        return {
            "agent": self.agent,
            "reward_head": self.reward_head,
            "target_critic": self.target_critic,
            "exported_actor": self.exported_actor,
            "target_psi": self.target_psi,
            "target_score": self.target_score,
            "critic_optimizer": self.critic_optimizer,
            "actor_optimizer": self.actor_optimizer,
            "encoder_optimizer": self.encoder_optimizer,
        }

    def _psi(self, obs: Tensor, action: Tensor) -> Tensor:
        """ψ as critics and policy see it, `[B, feature_dim]`, of normalised observations."""
        return self.target_psi(torch.cat([obs, action], dim=-1))

    def _normalized(self, batch: Batch) -> Batch:
        normalize, scale = self.agent.encoder.normalize, self.agent.reward_scale
        return batch._replace(
            obs=normalize(batch.obs),
            next_obs=normalize(batch.next_obs),
            bootstrap_obs=normalize(batch.bootstrap_obs),
            reward=batch.reward / scale,
            n_step_return=batch.n_step_return / scale,
        )

    def _update_representation(self, batch: Batch) -> Metrics:
        """Algorithm 1's loss, and the reward as a linear function of ψ."""
        encoder = self.agent.encoder
        drawn: dict[str, Any] = {"generator": self.generator, "device": batch.obs.device}
        level = torch.randint(encoder.schedule.num_levels, (len(batch.obs),), **drawn)
        noise = torch.randn(batch.next_obs.shape, **drawn)
        psi = encoder.psi_network(torch.cat([batch.obs, batch.action], dim=-1))
        residual = denoising_residual(encoder.score_network, encoder.schedule, psi, batch.next_obs, level, noise)
        diffusion = diffsr_loss(residual, encoder.schedule.beta[level])
        reward = F.mse_loss(self.reward_head(psi).squeeze(-1), batch.reward)
        _descend(self.encoder_optimizer, diffusion + self.config.reward_coef * reward)
        return {"diffusion_loss": diffusion.detach(), "reward_loss": reward.detach()}

    def _update_critic(self, batch: Batch, psi: Tensor) -> Metrics:
        loss, values = self.agent.critic.regress(psi, self.td_target(batch))
        self.critic_optimizer.step()
        return {"critic_loss": loss, "value": values.mean() * self.agent.reward_scale}

    def _update_actor(self, batch: Batch, psi: Tensor) -> Metrics:
        actor, critic = self.agent.actor, self.agent.critic
        action, log_density = actor.improve(batch.obs, self.generator)
        psi_of_policy = self._psi(batch.obs, action)
        value, slope = critic.ascend(psi_of_policy.detach())
        scale = value.abs().mean().clamp(min=1e-3)
        # Not the value itself, but it has the value's gradient.
        rise = (psi_of_policy * slope).sum(-1)
        loss = (actor.entropy_coef * log_density - rise).mean() / scale + actor.entropy_loss(log_density)
        if batch.imitated and batch.imitation_coef:
            loss = loss + batch.imitation_coef * self._distance(batch, action, psi, value)
        parameters = list(actor.parameters())
        # Only the policy's gradients: those of the critics would cost as much again, and be thrown away.
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter.grad = gradient
        self.actor_optimizer.step()
        return {"policy_value": value.mean() * self.agent.reward_scale}

    def _distance(self, batch: Batch, action: Tensor, psi: Tensor, value: Tensor) -> Tensor:
        """Mean squared distance of the policy's actions to those that are imitated, a scalar."""
        shown = slice(len(action) - batch.imitated, None)
        distance = (action[shown] - batch.action[shown]).square().mean(-1)
        if self.config.imitate == "better":
            with torch.no_grad():
                better = self.agent.critic(psi[shown]).mean(0) > value[shown]
            distance = distance * better
        return distance.mean()


@torch.no_grad()
def follow(averages: list[Tensor], newest: list[Tensor], tau: float) -> None:
    """Polyak averaging in place: average ← (1 − τ) average + τ newest."""
    torch._foreach_lerp_(averages, newest, tau)


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def _adam(parameters: Iterable[Tensor], rate: float) -> torch.optim.Adam:
    return torch.optim.Adam(parameters, lr=rate, fused=True)


def _frozen_copy(module: nn.Module) -> nn.Module:
    return deepcopy(module).requires_grad_(False)
