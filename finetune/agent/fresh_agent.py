"""A run's agent before its first update: fresh policy and critics on the encoder that the settings ask for."""

from typing import Any

import torch

from diffsr_hub.model.encoder import DiffSR
from diffsr_hub.model.env_check import parts
from finetune.agent.agent import Agent
from finetune.config import SCRATCH, FinetuneConfig


def fresh_agent(config: FinetuneConfig, envs: Any) -> Agent:
    """Load the encoder, or make one, and put policy and critics on it; all weights are functions of the seed.

    Args:
        config: Of the run.
        envs: The vector of environments, whose spaces the encoder must fit.

    Raises:
        UserError: The encoder cannot be loaded, or does not fit.
    """
    observations, actions = envs.single_observation_space, envs.single_action_space
    pretrained = None
    if config.encoder != SCRATCH:
        pretrained = DiffSR.from_pretrained(config.encoder, revision=config.encoder_revision or None, env=envs)
    sizes = {"obs_dim": observations.shape[0], "action_dim": actions.shape[0], "obs_parts": parts(observations)}
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        agent = Agent(
            sizes if pretrained is None else pretrained.arguments,
            config.env,
            actions.low.tolist(),
            actions.high.tolist(),
            policy=config.policy,
            actor_hidden=config.actor_hidden,
            critic_frequencies=config.critic_frequencies,
            bandwidth=config.bandwidth,
            exploration_noise=config.exploration_noise,
        )
    if pretrained is not None and config.mode == "random":
        moments = (pretrained.obs_mean, pretrained.obs_std, pretrained.reward_mean, pretrained.reward_std)
        agent.encoder.set_statistics(*moments)
    elif pretrained is not None:
        agent.encoder.load_state_dict(pretrained.state_dict())
    return agent
