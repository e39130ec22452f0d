"""Whether a model fits an environment is said by its spaces alone."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from diffsr_hub import from_pretrained
from diffsr_hub.model.env_check import check_env, parts
from tests.refusal import refusal

pytest_plugins = ["tests.hub.fixtures"]


BOX = gym.spaces.Box(-1, 1, (3,))


FITS = [
    (BOX, gym.spaces.Box(-1, 1, (2,))),
    (gym.spaces.Box(-1, 1, (1, 3)), gym.spaces.Discrete(2, start=5)),
    (gym.spaces.Dict(a=gym.spaces.Box(-1, 1, (1,)), b=gym.spaces.Discrete(2)), gym.spaces.MultiBinary(2)),
    (gym.spaces.Tuple([gym.spaces.Discrete(2), gym.spaces.Box(-1, 1, ())]), gym.spaces.MultiDiscrete(np.array([2]))),
]


@pytest.mark.parametrize(("observation_space", "action_space"), FITS)
def test_an_environment_of_its_sizes_fits(folder: Path, observation_space: Any, action_space: Any) -> None:
    env = SimpleNamespace(observation_space=observation_space, action_space=action_space)
    assert sum(gym.spaces.flatdim(space) for space in vars(env).values()) == 5
    from_pretrained(folder, env=env)


def test_a_vector_of_environments_is_looked_at_as_one(folder: Path) -> None:
    one = {"single_observation_space": BOX, "single_action_space": gym.spaces.Discrete(2)}
    batch = {"observation_space": gym.spaces.Box(-1, 1, (7, 3)), "action_space": gym.spaces.MultiDiscrete([2] * 7)}
    from_pretrained(folder, env=SimpleNamespace(**one, **batch))


def misfit(folder: Path, env: object) -> str:
    """The message with which a model is refused for an environment."""
    return refusal(lambda: from_pretrained(folder, env=env))


def test_what_does_not_fit_is_named(folder: Path) -> None:
    env = SimpleNamespace(observation_space=gym.spaces.Box(-1, 1, (17,)), action_space=gym.spaces.Discrete(6))
    message = misfit(folder, env)
    assert "its observation_space has 17 numbers, and the model's obs_dim is 3" in message
    assert "its action_space has 6 numbers, and the model's action_dim is 2" in message
    assert message.endswith("one that fits has obs_dim 17 and action_dim 6")
    odd = SimpleNamespace(observation_space=gym.spaces.Text(5), action_space=gym.spaces.Graph(BOX, None))
    for env in (odd, object()):
        assert len(re.findall("cannot be flattened into numbers", misfit(folder, env))) == 2


def test_actions_without_bounds_cannot_be_scaled(folder: Path) -> None:
    endless = gym.spaces.Box(-np.inf, np.inf, (1,))
    for actions in (gym.spaces.Box(-1, np.inf, (2,)), gym.spaces.Dict(a=endless, b=gym.spaces.Box(-1, 1, (1,)))):
        env = SimpleNamespace(observation_space=gym.spaces.Box(-np.inf, np.inf, (3,)), action_space=actions)
        assert "have no bounds, by which they are scaled to [-1, 1]" in misfit(folder, env)


@pytest.mark.parametrize(
    "actions",
    [
        gym.spaces.Discrete(2),
        gym.spaces.MultiBinary(2),
        gym.spaces.Dict(a=gym.spaces.Box(-2, 1, (2,))),
        gym.spaces.Box(-2, 1, (1, 2)),
        gym.spaces.Box(-2, 2, (2,)),
        gym.spaces.Box(-1, 1, (2,)),
        gym.spaces.Box(-np.inf, np.inf, (2,)),
    ],
    ids=str,
)
def test_an_agent_fits_where_it_can_act(agent_folder: Path, actions: Any) -> None:
    from_pretrained(agent_folder, env=SimpleNamespace(observation_space=BOX, action_space=gym.spaces.Box(-2, 1, (2,))))
    message = misfit(agent_folder, SimpleNamespace(observation_space=BOX, action_space=actions))
    assert ("its actions" in message and "[-2.0, -2.0] to [1.0, 1.0]" in message) or "have no bounds" in message


def _named(**sizes: int) -> Any:
    parts = {name: gym.spaces.Box(-1, 1, (size,)) for name, size in sizes.items()}
    return SimpleNamespace(observation_space=gym.spaces.Dict(**parts), action_space=gym.spaces.Box(-1, 1, (2,)))


def test_the_names_of_parts_count_and_not_their_places() -> None:
    arguments = {"obs_dim": 3, "action_dim": 2, "obs_parts": {"angle": 1, "velocity": 2}}
    check_env(arguments, _named(velocity=2, angle=1))
    for other in (_named(velocity=1, angle=2), _named(angle=1, speed=2), _named(angle=1, v=1, w=1)):
        message = refusal(lambda env=other: check_env(arguments, env))
        assert "the model's are angle (1), velocity (2)" in message and "its observations are " in message
    check_env(arguments, SimpleNamespace(observation_space=BOX, action_space=BOX.__class__(-1, 1, (2,))))
    check_env(arguments | {"obs_parts": {}}, _named(angle=1, speed=2))  # encoders made before they knew names


def test_parts_are_named_by_their_paths() -> None:
    inner = gym.spaces.Tuple([gym.spaces.Discrete(3), gym.spaces.Box(-1, 1, (2, 2))])
    space = gym.spaces.Dict([("z", gym.spaces.MultiBinary(2)), ("a", gym.spaces.Dict([("y", inner), ("b", BOX)]))])
    assert list(parts(space).items()) == [("a/b", 3), ("a/y/0", 3), ("a/y/1", 4), ("z", 2)]
    assert parts(BOX) == parts(gym.spaces.Discrete(3)) == {}
