"""Gymnasium spaces as flat columns: the leaves of an observation space, one-hot codes, equality of two spaces.

A Dict is flattened in the order of its keys' names, whatever order it was built in: Gymnasium sorts the keys of some
and not of others, and Minari those of all.
"""

import reprlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffsr_hub.errors import UserError, on_one_line, plain

if TYPE_CHECKING:
    import gymnasium as gym

_NESTED = ("Dict", "Tuple")
_TYPES = ("Box", "Discrete", "MultiDiscrete", "MultiBinary", *_NESTED)


class Leaf(NamedTuple):
    """A Box or a discrete space inside a possibly nested space."""

    path: tuple[str | int, ...]
    """keys of Dict and positions of Tuple from the root to here"""
    space: "gym.Space[Any]"

    @property
    def name(self) -> str:
        """What errors call its column: `observations['position']`."""
        return "observations" + "".join(f"[{key!r}]" for key in self.path)


def read_space(serialized: Any) -> "gym.Space[Any]":
    """A space from the JSON that Minari writes.

    Raises:
        UserError: it is malformed, or of a kind that is not supported.
    """
    from minari.serialization import deserialize_space

    try:
        _check_types(serialized)
        return deserialize_space(serialized)
    except UserError:
        raise
    except Exception as error:  # whatever Minari, Gymnasium and NumPy make of other values than they expect
        reason = f"{type(error).__name__}: {on_one_line(error)}"
        raise UserError(f"its space {reprlib.repr(serialized)} is malformed ({reason})") from error


def _check_types(serialized: Any) -> None:
    if (kind := serialized["type"]) not in _TYPES:
        raise UserError(f"a space of type {plain(kind)} is not supported; {', '.join(_TYPES)} are")
    if kind in _NESTED:
        inner = serialized["subspaces"]
        for space in inner.values() if isinstance(inner, dict) else inner:
            _check_types(space)


def canonical(space: "gym.Space[Any]") -> "gym.Space[Any]":
    """The same space with the keys of Dicts in order: what `gymnasium.spaces.flatten` makes of it are our columns."""
    from gymnasium import spaces

    if isinstance(space, spaces.Dict):
        return spaces.Dict([(key, canonical(inner)) for key, inner in _by_name(space)])
    return spaces.Tuple(map(canonical, space.spaces)) if isinstance(space, spaces.Tuple) else space


def _by_name(space: "gym.spaces.Dict") -> "list[tuple[Any, gym.Space[Any]]]":
    return sorted(space.spaces.items(), key=lambda item: str(item[0]))


def leaves(space: "gym.Space[Any]", path: tuple[str | int, ...] = ()) -> list[Leaf]:
    """The leaves of a space in the order in which `gymnasium.spaces.flatten` concatenates those of `canonical(space)`.

    Raises:
        UserError: a leaf is no Box and not discrete.
    """
    from gymnasium import spaces

    if isinstance(space, spaces.Dict):
        return [leaf for key, inner in _by_name(space) for leaf in leaves(inner, (*path, key))]
    if isinstance(space, spaces.Tuple):
        return [leaf for i, inner in enumerate(space.spaces) for leaf in leaves(inner, (*path, i))]
    if not isinstance(space, spaces.Box | spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary):
        raise UserError(f"a space of type {type(space).__name__} cannot be flattened into numbers: {space}")
    return [Leaf(path, space)]


def width(space: "gym.Space[Any]") -> int:
    """Number of columns of a leaf after `encode`."""
    from gymnasium import spaces

    return spaces.flatdim(space)


def encode(space: "gym.Space[Any]", values: NDArray[Any]) -> NDArray[Any]:
    """Flatten the column of a leaf, row by row as `gymnasium.spaces.flatten` does.

    Args:
        space: the leaf's space.
        values: `[n, *space.shape]`

    Returns:
        `[n, width(space)]`: numbers as they are, categories one-hot.

    Raises:
        ValueError: the shape is not the space's, or a category is outside of it.
    """
    from gymnasium import spaces

    if isinstance(space, spaces.Discrete):
        return _one_hot(_whole(values).reshape(len(values), 1) - space.start, np.array([space.n]))
    if values.shape[1:] != space.shape:
        raise ValueError(f"has rows of shape {values.shape[1:]}, its space says {space.shape}")
    flat = values.reshape(len(values), -1)
    if isinstance(space, spaces.MultiDiscrete):
        return _one_hot(_whole(flat) - space.start.reshape(-1), space.nvec.reshape(-1))
    return flat


def action_bounds(space: "gym.Space[Any]") -> tuple[list[float], list[float]] | None:
    """Lowest and highest action of a Box; None for discrete actions.

    Raises:
        UserError: actions of this kind are not supported.
    """
    from gymnasium import spaces

    if isinstance(space, spaces.Box):
        return space.low.reshape(-1).tolist(), space.high.reshape(-1).tolist()
    if not isinstance(space, spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary):
        raise UserError(f"actions of type {type(space).__name__} are not supported: Box or discrete ones are")
    return None


def difference(first: Any, second: Any, path: str = "", *, bounds: bool = True) -> str | None:
    """Where two serialized spaces differ, e.g. `shape: [11] or [17]`; None if they are equal.

    Their dtypes do not count, and bounds are compared as float32: everything becomes float32.

    Args:
        first: A space.
        second: Another.
        path: Where they are inside of others.
        bounds: Whether those of a Box count. They do where numbers are scaled by them, as actions are; observations
            are not, and tasks of one robot have other bounds each (Meta-World's goals).
    """
    if isinstance(first, dict) and isinstance(second, dict):
        box = first.get("type") == second.get("type") == "Box"
        ignored = {"dtype", "low", "high"} if box and not bounds else {"dtype"}
        keys = [key for key in (*first, *second) if key not in ignored]
        inner = (difference(first.get(key), second.get(key), f"{path} {key}", bounds=bounds) for key in keys)
        return next((text for text in inner if text), None)
    if isinstance(first, float) and isinstance(second, float):
        with np.errstate(over="ignore"):
            same = bool(np.float32(first) == np.float32(second))
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        same = all(difference(one, other, bounds=bounds) is None for one, other in zip(first, second, strict=True))
    else:
        same = first == second
    return None if same else f"{path.strip()}: {first} or {second}"


def _whole(values: NDArray[Any]) -> NDArray[np.int64]:
    """Categories as integers, however they are stored."""
    with np.errstate(invalid="ignore"):
        whole = values.astype(np.int64)
    if not np.array_equal(whole, values):
        raise ValueError("has a category that is no whole number")
    return whole


def _one_hot(categories: NDArray[Any], sizes: NDArray[Any]) -> NDArray[np.float32]:
    """Codes `[n, sum(sizes)]` of categories `[n, len(sizes)]` counted from 0."""
    if ((categories < 0) | (categories >= sizes)).any():
        raise ValueError(f"has a category outside of its space, which has {_sizes_text(sizes)}")
    codes = np.zeros((len(categories), int(sizes.sum())), np.float32)
    offsets = np.cumsum(sizes) - sizes
    np.put_along_axis(codes, categories + offsets, 1.0, axis=1)
    return codes


def _sizes_text(sizes: Sequence[int] | NDArray[Any]) -> str:
    return " × ".join(str(int(size)) for size in sizes) + " of them"
