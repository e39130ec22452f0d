"""Gymnasium ids to environments that an agent can live in."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box

from diffsr_hub.data.flat_observation import flat_observations
from diffsr_hub.data.images import is_image
from diffsr_hub.data.spaces import leaves
from diffsr_hub.errors import UserError, on_one_line
from diffsr_hub.model.env_check import flat_size
from diffsr_hub.suites.known import suite_of_env
from finetune.acting.answers import Answers


def make(env_id: str, **arguments: Any) -> gym.Env[Any, Any]:
    """An environment with flat observations, and with answers that can be relied on.

    Args:
        env_id: Gymnasium id, of a known suite or of others.
        arguments: Of the environment, such as `render_mode`.

    Raises:
        UserError: The id is unknown, its environment cannot be made here, its actions are not a list of bounded
            numbers, or its observations are images or cannot be flattened.
    """
    suite_of_env(env_id)
    try:
        env = gym.make(env_id, disable_env_checker=True, **arguments)  # Answers checks more, and every step
        actions, observations = env.action_space, env.observation_space
    except UserError:
        raise
    except Exception as error:  # an environment's own constructor may raise anything
        raise UserError(f"cannot make the environment {env_id!r}: {on_one_line(error)}") from error
    if not isinstance(actions, Box) or len(actions.shape) != 1 or not np.issubdtype(actions.dtype, np.floating):
        raise UserError(f"{env_id} has actions {actions}; an agent needs a Box of floating-point numbers with one axis")
    if not (np.isfinite(actions.low).all() and np.isfinite(actions.high).all()):
        raise UserError(f"{env_id} has actions {actions}; an agent needs finite bounds")
    if flat_size(observations) is None:
        raise UserError(f"{env_id} has observations {observations}, which cannot be flattened into numbers")
    if any(is_image(leaf.space) for leaf in leaves(observations)):
        raise UserError(f"{env_id} has observations that are images {observations}, and there is no agent for them yet")
    flat = isinstance(observations, Box) and len(observations.shape) == 1
    return Answers(env if flat else flat_observations(env))


def make_for_evaluation(env_id: str) -> gym.Env[Any, Any]:
    """The same for measuring, as its suite does: with official goals, say, of which `reset(seed=k)` takes one."""
    suite = suite_of_env(env_id)
    return make(env_id, **({} if suite is None else suite.evaluation))


def different_episodes(env_id: str) -> int | None:
    """How many episodes of an evaluation can differ; None: any number."""
    suite = suite_of_env(env_id)
    return None if suite is None else suite.evaluation_episodes
