"""Gymnasium ids to environments that an agent can live in."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box

import diffsr_hub.suites.mujoco.tasks  # noqa: F401 (registers the new tasks)
from diffsr_hub.data.flat_observation import flat_observations
from diffsr_hub.errors import UserError, on_one_line
from diffsr_hub.model.env_check import flat_size
from diffsr_hub.suites.meta_world.environment import OFFICIAL_GOALS  # and registers its tasks
from diffsr_hub.suites.meta_world.names import TASKS, is_meta_world, unknown_task
from diffsr_hub.suites.mujoco.tasks import task
from finetune.acting.answers import Answers


def make(env_id: str, **arguments: Any) -> gym.Env[Any, Any]:
    """An environment with flat observations, and with answers that can be relied on.

    Args:
        env_id: Gymnasium id; of Meta-World metaworld/door-open-v3 and so on, with another goal in every episode.
        arguments: Of the environment, such as `render_mode`.

    Raises:
        UserError: The id is unknown, its environment cannot be made here, its actions are not a list of bounded
            numbers, or its observations cannot be flattened.
    """
    task(env_id)
    if is_meta_world(env_id) and env_id not in TASKS:
        raise unknown_task(env_id)
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
    flat = isinstance(observations, Box) and len(observations.shape) == 1
    return Answers(env if flat else flat_observations(env))


def make_for_evaluation(env_id: str) -> gym.Env[Any, Any]:
    """The same for measuring: Meta-World's tasks have their official goals, of which `reset(seed=k)` takes one."""
    return make(env_id, goals="official") if is_meta_world(env_id) else make(env_id)


def different_episodes(env_id: str) -> int | None:
    """How many episodes of an evaluation can differ: for Meta-World's tasks one of each official goal; None: any."""
    return OFFICIAL_GOALS if is_meta_world(env_id) else None
