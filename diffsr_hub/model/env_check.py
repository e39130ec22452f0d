"""Whether a model fits an environment, of which only the spaces are looked at."""

import math
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from diffsr_hub.errors import UserError, plain

_NAMES = {"observation_space": "obs_dim", "action_space": "action_dim"}


def check_env(
    arguments: Mapping[str, Any], env: Any, bounds: tuple[Sequence[float], Sequence[float]] | None = None
) -> None:
    """Compare a model's sizes, and the bounds of its actions, with the spaces of an environment.

    Args:
        arguments: Of the model; `obs_dim` and `action_dim` are looked at.
        env: Anything with a Gymnasium `observation_space` and `action_space`, also of a vector of environments.
        bounds: Lowest and highest actions `[action_dim]` of a model that acts; one that only takes actions in [-1, 1]
            fits any that can be scaled to them.

    Raises:
        UserError: A size differs, or a space has none; the actions are not bounded, or not by `bounds`.
    """
    spaces = {name: getattr(env, f"single_{name}", getattr(env, name, None)) for name in _NAMES}
    sizes = {name: flat_size(spaces[space]) for space, name in _NAMES.items()}
    wrong = []
    for space, name in _NAMES.items():
        if sizes[name] is None:
            wrong.append(f"its {space} cannot be flattened into numbers")
        elif sizes[name] != arguments[name]:
            wrong.append(f"its {space} has {sizes[name]} numbers, and the model's {name} is {arguments[name]}")
    if wrong and None not in sizes.values():
        wrong.append(f"one that fits has {' and '.join(f'{name} {size}' for name, size in sizes.items())}")
    actions = spaces["action_space"]
    if not wrong and not all(leaf.is_bounded() for leaf in _leaves(actions) if hasattr(leaf, "is_bounded")):
        wrong.append(f"its actions {plain(actions)} have no bounds, by which they are scaled to [-1, 1]")
    elif not wrong and bounds is not None and not _is_box(actions, *bounds):
        low, high = map(reprlib.repr, bounds)
        wrong.append(f"its actions are {plain(actions)}, and the model's are a Box from {low} to {high}")
    if wrong:
        raise UserError(f"the model does not fit the environment: {'; '.join(wrong)}")


def flat_size(space: Any) -> int | None:
    """How many numbers an element of a space is as `diffsr_hub.data` gives it: discrete ones are one-hot."""
    sizes = [_size(leaf) for leaf in _leaves(space)]
    return None if None in sizes else sum(size for size in sizes if size is not None)


def _leaves(space: Any) -> Iterator[Any]:
    """The spaces that a nested one is made of."""
    inner = getattr(space, "spaces", None)
    if inner is None:
        yield space
        return
    for part in inner.values() if isinstance(inner, Mapping) else inner:
        yield from _leaves(part)


def _size(space: Any) -> int | None:
    if (categories := getattr(space, "nvec", None)) is not None:
        return int(categories.sum())
    shape = getattr(space, "shape", None)
    if shape == () and hasattr(space, "n"):
        return int(space.n)
    return math.prod(shape) if isinstance(shape, tuple) else None


def _is_box(space: Any, low: Sequence[float], high: Sequence[float]) -> bool:
    """Whether a space is a Box with one axis and, up to the rounding of float32, these bounds."""
    return (
        hasattr(space, "low")
        and space.shape == (len(low),)
        and np.allclose(space.low, low, rtol=1e-6)
        and np.allclose(space.high, high, rtol=1e-6)
    )
