"""An agent before its first update: fresh policy and critics on an encoder; all weights are functions of the seed."""

from typing import Any, Literal

import torch

from diffsr_hub.model.encoder import DiffSR
from diffsr_hub.model.env_check import parts
from finetune.agent.agent import Agent
from finetune.agent.config import PolicyAndCritics

Mode = Literal["frozen", "finetuned", "random"]


def fresh_agent(
    choices: PolicyAndCritics, env_id: str, envs: Any, pretrained: DiffSR | None, *, mode: Mode, seed: int
) -> Agent:
    """Put policy and critics on an encoder.

    Args:
        choices: What policy and critics are.
        env_id: Of the environment.
        envs: The vector of environments.
        pretrained: The encoder, which fits them; None for a fresh one of default sizes.
        mode: With `random`, a fresh encoder of the pretrained one's sizes and statistics takes its place.
        seed: Of all weights.
    """
    observations, actions = envs.single_observation_space, envs.single_action_space
    sizes = {"obs_dim": observations.shape[0], "action_dim": actions.shape[0], "obs_parts": parts(observations)}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        agent = Agent(
            sizes if pretrained is None else pretrained.arguments,
            env_id,
            actions.low.tolist(),
            actions.high.tolist(),
            **vars(choices),
        )
    if pretrained is not None and mode == "random":
        moments = (pretrained.obs_mean, pretrained.obs_std, pretrained.reward_mean, pretrained.reward_std)
        agent.encoder.set_statistics(*moments)
    elif pretrained is not None:
        agent.encoder.load_state_dict(pretrained.state_dict())
    return agent
