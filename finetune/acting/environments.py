"""Gymnasium ids to environments that an agent can live in."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box
from gymnasium.wrappers import FlattenObservation

import diffsr_hub.suites.mujoco.tasks  # noqa: F401 (registers the new tasks)
from diffsr_hub.errors import UserError
from diffsr_hub.model.env_check import flat_size
from diffsr_hub.suites.meta_world.environment import OFFICIAL_GOALS  # and registers its tasks
from diffsr_hub.suites.meta_world.names import TASKS, is_meta_world, unknown_task
from diffsr_hub.suites.mujoco.tasks import task


def make(env_id: str, **arguments: Any) -> gym.Env[Any, Any]:
    """An environment with flat observations.

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
        env = gym.make(env_id, **arguments)
    except UserError:
        raise
    except Exception as error:  # an environment's own constructor may raise anything
        raise UserError(f"cannot make the environment {env_id!r}: {' '.join(str(error).split())}") from error
    actions = env.action_space
    if not isinstance(actions, Box) or len(actions.shape) != 1 or not np.issubdtype(actions.dtype, np.floating):
        raise UserError(f"{env_id} has actions {actions}; an agent needs a Box of floating-point numbers with one axis")
    if not (np.isfinite(actions.low).all() and np.isfinite(actions.high).all()):
        raise UserError(f"{env_id} has actions {actions}; an agent needs finite bounds")
    if flat_size(env.observation_space) is None:
        raise UserError(f"{env_id} has observations {env.observation_space}, which cannot be flattened into numbers")
    if isinstance(env.observation_space, Box) and len(env.observation_space.shape) == 1:
        return env
    return FlattenObservation(env)


def make_for_evaluation(env_id: str) -> gym.Env[Any, Any]:
    """The same for measuring: Meta-World's tasks have their official goals, of which `reset(seed=k)` takes one."""
    return make(env_id, goals="official") if is_meta_world(env_id) else make(env_id)


def different_episodes(env_id: str) -> int | None:
    """How many episodes of an evaluation can differ: for Meta-World's tasks one of each official goal; None: any."""
    return OFFICIAL_GOALS if is_meta_world(env_id) else None


@contextmanager
def failures() -> Iterator[None]:
    """Around calls of an environment: whatever it raises becomes one line.

    Raises:
        UserError: in place of that.
    """
    try:
        yield
    except Exception as error:
        raise UserError(f"the environment raised {type(error).__name__}: {' '.join(str(error).split())}") from error


def check_finite(*numbers: Any) -> None:
    """Refuse what an environment gave, arrays of any shapes, if a learner could not use it.

    Raises:
        UserError: There is NaN or infinity in it.
    """
    if not all(np.isfinite(array).all() for array in numbers):
        raise UserError("the environment gave an observation or a reward that is NaN or infinite")
