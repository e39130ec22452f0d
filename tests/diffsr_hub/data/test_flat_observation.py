"""Stored observations and those of an environment become the same vectors, whatever order their keys have."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from minari.serialization import deserialize_space, serialize_space

from diffsr_hub.data.flat_observation import flat_observations
from diffsr_hub.data.spaces import canonical, encode, leaves, width
from diffsr_hub.model.env_check import check_env, flat_size, parts

_KEYS = st.text("abAB01_é ", min_size=1, max_size=3)
_LEAVES = st.one_of(
    st.builds(lambda n: spaces.Box(-9, 9, (n,), np.float64), st.integers(0, 3)),
    st.builds(lambda n: spaces.Box(-9, 9, (2, n), np.float32), st.integers(1, 2)),
    st.builds(lambda n, start: spaces.Discrete(n, start=start), st.integers(1, 3), st.integers(-2, 2)),
    st.builds(spaces.MultiBinary, st.integers(1, 3)),
    st.builds(spaces.MultiDiscrete, st.lists(st.integers(1, 3), min_size=1, max_size=2)),
)


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    pairs = st.lists(st.tuples(_KEYS, inner), min_size=1, max_size=3, unique_by=lambda pair: pair[0])
    return pairs.map(spaces.Dict) | st.lists(inner, min_size=1, max_size=3).map(spaces.Tuple)


class Env(gym.Env[Any, Any]):
    def __init__(self, space: Any) -> None:
        self.observation_space, self.action_space = space, spaces.Box(-1, 1, (1,))

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self.observation_space.seed(seed)
        return self.observation_space.sample(), {}


def _column(samples: list[Any], path: tuple[str | int, ...]) -> np.ndarray[Any, Any]:
    for key in path:
        samples = [sample[key] for sample in samples]
    return np.asarray(samples)


@settings(deadline=None)
@given(space=st.recursive(_LEAVES, _nested, max_leaves=6), seed=st.integers(0, 9))
def test_what_is_stored_and_what_is_seen_are_equal_vectors(space: Any, seed: int) -> None:
    env = flat_observations(Env(space))
    seen, _ = env.reset(seed=seed)
    space.seed(seed)
    stored = space.sample()  # as Minari stores it: by name
    there: Any = deserialize_space(serialize_space(space))
    read = [encode(leaf.space, _column([stored], leaf.path)) for leaf in leaves(there)]
    assert np.array_equal(np.concatenate(read, axis=1)[0], seen)
    assert parts(there) == parts(space) == parts(env.observation_space)
    assert env.observation_space.shape == (sum(width(leaf.space) for leaf in leaves(there)),) == (flat_size(space),)
    assert seen.dtype == env.observation_space.dtype


@given(space=st.recursive(_LEAVES, _nested, max_leaves=6))
def test_spaces_of_minari_keep_their_order(space: Any) -> None:
    there: Any = deserialize_space(serialize_space(space))
    again: Any = canonical(there)
    assert str(again) == str(there)
    assert [*parts(again)] == [*parts(space)]


def test_keys_that_are_numbers_come_in_the_order_of_their_names() -> None:
    """JSON, and so Minari, makes words of them: 10 comes before 9."""
    space = spaces.Dict({9: spaces.Box(0, 1, (1,)), 10: spaces.Box(0, 1, (2,))})  # type: ignore[dict-item]
    there: Any = deserialize_space(serialize_space(space))
    assert [*parts(there)] == [*parts(space)] == ["10", "9"]


def test_a_vector_of_such_environments_knows_the_parts() -> None:
    space = spaces.Dict([("velocity", spaces.Box(-1, 1, (2,))), ("angle", spaces.Box(-1, 1, (1,)))])
    envs = gym.vector.SyncVectorEnv([lambda: flat_observations(Env(space))] * 2)
    assert list(parts(envs.single_observation_space)) == ["angle", "velocity"]
    check_env({"obs_dim": 3, "action_dim": 1, "obs_parts": {"angle": 1, "velocity": 2}}, envs)
