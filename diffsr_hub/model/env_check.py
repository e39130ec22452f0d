"""Whether a model fits an environment, of which only the spaces are looked at.

Nested observations are flattened in the order of their parts' names (`diffsr_hub.data.spaces`): the names decide what a
number means, not the place of a key in a Dict.
"""

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
    """Compare a model's sizes, names of observations and bounds of actions with the spaces of an environment.

    Args:
        arguments: Of the model; `obs_dim`, `action_dim` and, where there are some, `obs_parts`, or `obs_shape` and
            `view` of images, are looked at.
        env: Anything with a Gymnasium `observation_space` and `action_space`, also of a vector of environments.
        bounds: Lowest and highest actions `[action_dim]` of a model that acts; one that only takes actions in [-1, 1]
            fits any that can be scaled to them.

    Raises:
        UserError: A size or a name differs, or a space has none; the actions are not bounded, or not by `bounds`;
            images are of another shape, or seen otherwise.
    """
    spaces = {name: getattr(env, f"single_{name}", getattr(env, name, None)) for name in _NAMES}
    shape = tuple(arguments.get("obs_shape") or ())
    names = {space: name for space, name in _NAMES.items() if not (shape and space == "observation_space")}
    sizes = {name: flat_size(spaces[space]) for space, name in names.items()}
    wrong = _wrong_images(shape, arguments.get("view"), spaces["observation_space"], env) if shape else []
    for space, name in names.items():
        if sizes[name] is None:
            wrong.append(f"its {space} cannot be flattened into numbers")
        elif sizes[name] != arguments[name]:
            wrong.append(f"its {space} has {sizes[name]} numbers, and the model's {name} is {arguments[name]}")
    if wrong and None not in sizes.values():
        wrong.append(f"one that fits has {' and '.join(f'{name} {size}' for name, size in sizes.items())}")
    if difference := parts_difference(arguments.get("obs_parts") or {}, parts(spaces["observation_space"])):
        wrong.append(f"its observations are {difference[1]}, and the model's are {difference[0]}")
    wrong = wrong or _wrong_actions(spaces["action_space"], bounds)
    if wrong:
        raise UserError(f"the model does not fit the environment: {'; '.join(wrong)}")


def _wrong_images(shape: tuple[int, ...], view: str | None, space: Any, env: Any) -> list[str]:
    found = (str(getattr(space, "dtype", None)), getattr(space, "shape", None))
    if found != ("uint8", shape):
        return [f"its observations are {plain(space)[:100]}, and the model's are uint8 images of shape {shape}"]
    seen = getattr(getattr(env, "unwrapped", env), "view", None)
    if view and seen is not None and (fingerprint := seen.fingerprint()) != view:
        return [
            f"its images are seen otherwise (view {fingerprint}) than those that the model was made of (view {view})"
        ]
    return []


def _wrong_actions(actions: Any, bounds: tuple[Sequence[float], Sequence[float]] | None) -> list[str]:
    if not all(leaf.is_bounded() for leaf in _leaves(actions) if hasattr(leaf, "is_bounded")):
        return [f"its actions {plain(actions)} have no bounds, by which they are scaled to [-1, 1]"]
    if bounds is not None and not _is_box(actions, *bounds):
        low, high = map(reprlib.repr, bounds)
        return [f"its actions are {plain(actions)}, and the model's are a Box from {low} to {high}"]
    return []


def flat_size(space: Any) -> int | None:
    """How many numbers an element of a space is as `diffsr_hub.data` gives it: discrete ones are one-hot."""
    sizes = [_size(leaf) for leaf in _leaves(space)]
    return None if None in sizes else sum(size for size in sizes if size is not None)


def parts(space: Any) -> dict[str, int]:
    """The parts that an observation is flattened from, in order, as `{"arm/angle": 1, "arm/velocity": 1}`."""
    if (known := getattr(space, "parts", None)) is not None:  # of what was flattened already
        return dict(known)
    return {} if getattr(space, "spaces", None) is None else {name: _size(leaf) or 0 for name, leaf in _named(space)}


def parts_difference(first: Mapping[str, int], second: Mapping[str, int]) -> tuple[str, str] | None:
    """Two observations' parts in words, where both are known and not the same."""
    if not first or not second or dict(first) == dict(second):
        return None
    return _in_words(first), _in_words(second)


def _in_words(parts: Mapping[str, int]) -> str:
    return plain(", ".join(f"{name} ({size})" for name, size in parts.items()))[:150]


def _leaves(space: Any) -> Iterator[Any]:
    """The spaces that a nested one is made of."""
    return (leaf for _, leaf in _named(space))


def _named(space: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The same with their names, in the order of the names."""
    inner = getattr(space, "spaces", None)
    if inner is None:
        yield path, space
        return
    by_name = sorted(inner.items(), key=lambda item: str(item[0])) if isinstance(inner, Mapping) else enumerate(inner)
    for key, part in by_name:
        yield from _named(part, f"{path}/{key}".lstrip("/"))


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
