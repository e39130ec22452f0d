"""Whether a model has the sizes of an environment, of which only the spaces are looked at."""

import math
from collections.abc import Mapping
from typing import Any

from diffsr_hub.errors import UserError

_NAMES = {"observation_space": "obs_dim", "action_space": "action_dim"}


def check_env(arguments: Mapping[str, Any], env: Any) -> None:
    """Compare a model's sizes with the spaces of an environment.

    Args:
        arguments: Of the model; `obs_dim` and `action_dim` are looked at.
        env: Anything with a Gymnasium `observation_space` and `action_space`, also of a vector of environments.

    Raises:
        UserError: A size differs, or a space has none.
    """
    wrong = []
    for space, name in _NAMES.items():
        size = flat_size(getattr(env, f"single_{space}", getattr(env, space, None)))
        if size is None:
            wrong.append(f"its {space} cannot be flattened into numbers")
        elif size != arguments[name]:
            wrong.append(f"its {space} has {size} numbers, and the model's {name} is {arguments[name]}")
    if wrong:
        raise UserError(f"the model does not fit the environment: {'; '.join(wrong)}")


def flat_size(space: Any) -> int | None:
    """How many numbers an element of a space is as `diffsr_hub.data` gives it: discrete ones are one-hot."""
    inner = getattr(space, "spaces", None)
    if inner is not None:
        sizes = [flat_size(part) for part in (inner.values() if isinstance(inner, Mapping) else inner)]
        return None if None in sizes else sum(size for size in sizes if size is not None)
    if (categories := getattr(space, "nvec", None)) is not None:
        return int(categories.sum())
    shape = getattr(space, "shape", None)
    if shape == () and hasattr(space, "n"):
        return int(space.n)
    return math.prod(shape) if isinstance(shape, tuple) else None
