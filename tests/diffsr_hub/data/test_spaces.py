import operator
from functools import reduce
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from minari.serialization import serialize_space

from diffsr_hub.data.spaces import action_bounds, difference, encode, leaves, width
from diffsr_hub.errors import UserError

NESTED = spaces.Dict(
    {
        "zeta": spaces.Box(-1, 1, (2, 3), np.float64),
        "alpha": spaces.Tuple([spaces.Discrete(4, start=2), spaces.MultiBinary(3)]),
        "middle": spaces.Dict(
            {"many": spaces.MultiDiscrete([2, 5], start=[1, -1]), "byte": spaces.Box(0, 9, (1,), np.uint8)}
        ),
    }
)


def column(samples: list[Any], path: tuple[str | int, ...]) -> np.ndarray[Any, Any]:
    return np.asarray([reduce(operator.getitem, path, sample) for sample in samples])


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(-1, 1, (4,)),
        spaces.Box(-1, 1, (2, 3)),
        spaces.Discrete(5, start=-2),
        spaces.MultiDiscrete([3, 2, 4]),
        spaces.MultiBinary(6),
        NESTED,
    ],
)
def test_flattening_is_gymnasiums(space: gym.Space[Any]) -> None:
    space.seed(0)
    samples = [space.sample() for _ in range(20)]
    found = leaves(space)
    ours = np.concatenate([encode(leaf.space, column(samples, leaf.path)) for leaf in found], axis=1)
    assert np.array_equal(ours, np.stack([spaces.flatten(space, sample) for sample in samples]))
    assert sum(width(leaf.space) for leaf in found) == spaces.flatdim(space)


def test_text_is_refused() -> None:
    with pytest.raises(UserError, match="Text cannot be flattened"):
        leaves(spaces.Dict({"mission": spaces.Text(10)}))


def test_a_category_outside_of_the_space_is_refused() -> None:
    with pytest.raises(ValueError, match="outside of its space, which has 3 of them"):
        encode(spaces.Discrete(3), np.array([0, 3]))


def test_rows_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"rows of shape \(4,\), its space says \(3,\)"):
        encode(spaces.Box(-1, 1, (3,)), np.zeros((5, 4)))


def test_action_bounds() -> None:
    assert action_bounds(spaces.Box(np.array([-2.0, 0.0]), np.array([2.0, 5.0]), dtype=np.float64)) == (
        [-2.0, 0.0],
        [2.0, 5.0],
    )
    assert action_bounds(spaces.Discrete(3)) is None
    with pytest.raises(UserError, match="actions of type Dict are not supported"):
        action_bounds(spaces.Dict({"a": spaces.Discrete(2)}))


def _differ(first: gym.Space[Any], second: gym.Space[Any]) -> str | None:
    return difference(serialize_space(first, to_string=False), serialize_space(second, to_string=False))


def test_differences_are_named() -> None:
    box = spaces.Box(-0.4, 0.4, (2,), np.float32)
    assert _differ(box, spaces.Box(-0.4, 0.4, (2,), np.float64)) is None
    assert _differ(box, spaces.Box(-0.4, 0.4, (3,), np.float32)) == "shape: [2] or [3]"
    assert "high" in str(_differ(box, spaces.Box(-0.4, 0.5, (2,), np.float32)))
    assert _differ(box, spaces.Discrete(2)) == "type: Box or Discrete"
    nested = spaces.Dict({"a": box})
    assert _differ(nested, spaces.Dict({"a": spaces.Box(-0.4, 0.4, (1,))})) == "subspaces a shape: [2] or [1]"


def test_bounds_can_be_left_out() -> None:
    goal_left, goal_right = spaces.Box(-1, 0, (2,)), spaces.Box(0, 1, (2,))
    serialized = [serialize_space(space, to_string=False) for space in (goal_left, goal_right)]
    assert difference(*serialized, bounds=False) is None
    nested = [{"type": "Dict", "subspaces": {"a": space}} for space in serialized]
    assert difference(*nested) is not None and difference(*nested, bounds=False) is None
    longer = serialize_space(spaces.Box(0, 1, (3,)), to_string=False)
    assert difference(serialized[0], longer, bounds=False) == "shape: [2] or [3]"
