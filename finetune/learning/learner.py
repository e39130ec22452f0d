"""Algorithm 2's updates: representation, critics, policy, moving averages (method, section 4)."""

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diffsr_hub.model.diffusion import denoising_residual, diffsr_loss
from finetune.agent.agent import Agent
from finetune.config import AlgorithmConfig
from finetune.learning.replay import Batch


class Learner:
    """Improves an agent.

    Where ψ learns, critics and policy see a moving average of it, so that what they stand on moves slowly. The policy
    that is left can be a moving average too: the newest one may fail where those before and after it succeed.

    Args:
        agent: Changed in place.
        config: Of the algorithm.
        learns_representation: Whether ψ and ν learn too; they stay bit for bit as they are otherwise.
        generator: Source of all noise.
    """

    def __init__(
        self, agent: Agent, config: AlgorithmConfig, *, learns_representation: bool, generator: torch.Generator
    ) -> None:
        self.agent, self.config, self.generator = agent, config, generator
        self.learns_representation = learns_representation
        encoder = agent.encoder.requires_grad_(learns_representation)
        self.target_critic = _frozen_copy(agent.critic)
        self.target_psi = _frozen_copy(encoder.psi_network) if learns_representation else encoder.psi_network
        self.left_actor = _frozen_copy(agent.actor) if config.average_policy else agent.actor
        self.reward_head = nn.Linear(encoder.arguments["feature_dim"], 1)
        self.updates = 0
        self.critic_optimizer = _adam(agent.critic.parameters(), config.learning_rate)
        self.actor_optimizer = _adam(agent.actor.parameters(), config.learning_rate)
        learned = (encoder.psi_network, encoder.score_network, self.reward_head)
        self.encoder_optimizer = _adam((p for m in learned for p in m.parameters()), config.representation_rate)
        averages: dict[nn.Module, nn.Module] = {self.target_critic: agent.critic}
        if learns_representation:
            averages[self.target_psi] = encoder.psi_network
        if config.average_policy:
            averages[self.left_actor] = agent.actor
        self.averages: list[Tensor] = [p for target in averages for p in target.parameters()]
        self.followed: list[Tensor] = [p for newest in averages.values() for p in newest.parameters()]

    def update(
        self, batch: Batch, imitated: int = 0, imitation_coef: float = 0.0, *, moves_psi: bool = True
    ) -> dict[str, Tensor]:
        """One update of everything on one batch.

        Args:
            batch: `[B]` transitions, raw.
            imitated: How many of the last ones come from behaviour that may be worth imitating.
            imitation_coef: Weight of that.
            moves_psi: Whether the representation may learn, if it learns at all.

        Returns:
            Losses and the mean value, detached, by name.
        """
        batch = self._normalized(batch)
        metrics: dict[str, Tensor] = {}
        if moves_psi and self.learns_representation and self.updates % self.config.representation_every == 0:
            metrics |= self._update_representation(batch)
        with torch.no_grad():
            psi = self._psi(batch.obs, batch.action)
        metrics |= self._update_critic(batch, psi)
        if self.updates % self.config.policy_delay == 0:
            metrics |= self._update_actor(batch, psi, imitated, imitation_coef)
        follow(self.averages, self.followed, self.config.tau)
        self.updates += 1
        return metrics

    def td_target(self, batch: Batch) -> Tensor:
        """R + γᵏ (min_i Q̄_i(s', a') − α log π(a'|s')), `[B]`, a' from the policy; of a normalised batch."""
        with torch.no_grad():
            action, log_density = self.agent.actor.target(batch.bootstrap_obs, self.generator)
            value = self.target_critic(self._psi(batch.bootstrap_obs, action)).amin(0)
            value = value - self.agent.actor.entropy_coef * log_density
            return torch.addcmul(batch.n_step_return, batch.bootstrap_discount, value)

    def finished_agent(self) -> Agent:
        """A copy of the agent with the policy that is to be left and the ψ̄ that critics and policy learned on."""
        agent = deepcopy(self.agent).eval()
        agent.actor.load_state_dict(self.left_actor.state_dict())
        agent.encoder.psi_network.load_state_dict(self.target_psi.state_dict())
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
            "left_actor": self.left_actor,
            "target_psi": self.target_psi,
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

    def _update_representation(self, batch: Batch) -> dict[str, Tensor]:
        """Algorithm 1's loss, and the reward as a linear function of ψ."""
        encoder = self.agent.encoder
        level = torch.randint(encoder.schedule.num_levels, (len(batch.obs),), generator=self.generator)
        noise = torch.randn(batch.next_obs.shape, generator=self.generator)
        psi = encoder.psi_network(torch.cat([batch.obs, batch.action], dim=-1))
        residual = denoising_residual(encoder.score_network, encoder.schedule, psi, batch.next_obs, level, noise)
        diffusion = diffsr_loss(residual, encoder.schedule.beta[level])
        reward = F.mse_loss(self.reward_head(psi).squeeze(-1), batch.reward)
        _descend(self.encoder_optimizer, diffusion + self.config.reward_coef * reward)
        return {"diffusion_loss": diffusion.detach(), "reward_loss": reward.detach()}

    def _update_critic(self, batch: Batch, psi: Tensor) -> dict[str, Tensor]:
        loss, values = self.agent.critic.regress(psi, self.td_target(batch))
        self.critic_optimizer.step()
        return {"critic_loss": loss, "value": values.mean() * self.agent.reward_scale}

    def _update_actor(self, batch: Batch, psi: Tensor, imitated: int, imitation_coef: float) -> dict[str, Tensor]:
        actor, critic = self.agent.actor, self.agent.critic
        action, log_density = actor.improve(batch.obs, self.generator)
        psi_of_policy = self._psi(batch.obs, action)
        value, slope = critic.ascend(psi_of_policy.detach())
        scale = value.abs().mean().clamp(min=1e-3)
        # Not the value itself, but it has the value's gradient.
        rise = (psi_of_policy * slope).sum(-1)
        loss = (actor.entropy_coef * log_density - rise).mean() / scale + actor.entropy_loss(log_density)
        if imitated and imitation_coef:
            distance = (action[-imitated:] - batch.action[-imitated:]).square().mean(-1)
            if self.config.imitate == "better":
                with torch.no_grad():
                    better = critic(psi[-imitated:]).mean(0) > value[-imitated:]
                distance = distance * better
            loss = loss + imitation_coef * distance.mean()
        parameters = list(actor.parameters())
        # Only the policy's gradients: those of the critics would cost as much again, and be thrown away.
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter.grad = gradient
        self.actor_optimizer.step()
        return {"policy_value": value.mean() * self.agent.reward_scale}


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
