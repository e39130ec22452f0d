"""An environment's nested observations as the vectors that `diffsr_hub.data` makes of stored ones."""

from collections.abc import Mapping
from typing import Any, cast

import gymnasium as gym
from gymnasium.spaces import Box, flatten, flatten_space
from gymnasium.wrappers import TransformObservation

from diffsr_hub.data.spaces import canonical
from diffsr_hub.model.env_check import parts


class FlatBox(Box):
    """The space of flattened observations, which knows the parts that they are made of.

    Args:
        box: The space.
        parts: Names and sizes, in order.
    """

    def __init__(self, box: Box, parts: Mapping[str, int]) -> None:
        super().__init__(box.low, box.high, dtype=box.dtype)
        self.parts = dict(parts)


def flat_observations(env: gym.Env[Any, Any]) -> gym.Env[Any, Any]:
    """Flatten the observations of an environment, by the names of their parts.

    Gymnasium's own `FlattenObservation` takes the keys of a Dict in the order in which the environment gave them, which
    is another one than that of stored data where they are not sorted.

    Args:
        env: Its observations can be flattened into numbers (`diffsr_hub.model.env_check.flat_size`).
    """
    space = canonical(env.observation_space)
    flat = FlatBox(cast(Box[Any], flatten_space(space)), parts(space))
    return TransformObservation(env, lambda obs: flatten(space, obs), flat)
