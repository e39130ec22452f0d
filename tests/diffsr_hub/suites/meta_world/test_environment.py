import importlib.metadata
from typing import Any

import gymnasium as gym
import metaworld
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from diffsr_hub.errors import UserError
from diffsr_hub.suites.meta_world import environment
from diffsr_hub.suites.meta_world.environment import EPISODE_STEPS, MetaWorldEnv, check_installation

DOOR, PUSH = (
    "metaworld/door-open-v3",
    "metaworld/push-v3",
)  # a place is drawn, and a goal too


@pytest.fixture(scope="module")
def push() -> Any:
    return MetaWorldEnv(PUSH)


def episode(env: gym.Env[Any, Any], seed: int | None, steps: int = 30) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(0)
    rows = [env.reset(seed=seed)[0]]
    rows += [env.step(rng.uniform(-1, 1, 4).astype(np.float32))[0] for _ in range(steps)]
    return np.stack(rows)


def test_the_seed_of_reset_decides_everything_whatever_was_before(push: Any) -> None:
    first = episode(push, 3)
    other = episode(push, 4)
    assert np.array_equal(episode(push, 3), first)
    assert np.array_equal(episode(MetaWorldEnv(PUSH), 3), first)  # also in a new environment, of the copied model
    assert not np.array_equal(other[0, 36:], first[0, 36:])  # another goal
    assert not np.array_equal(other[0, 4:7], first[0, 4:7])  # another place of the object


def test_without_a_seed_the_goals_go_on(push: Any) -> None:
    push.reset(seed=3)
    goals = [push.reset()[0][36:] for _ in range(2)]
    push.reset(seed=3)
    assert np.array_equal([push.reset()[0][36:] for _ in range(2)], goals)
    assert not np.array_equal(*goals)


def test_the_second_half_is_the_frame_before(push: Any) -> None:
    rows = episode(push, 0)
    assert np.array_equal(rows[1:, 18:36], rows[:-1, :18])
    assert np.array_equal(rows[0, 18:36], rows[0, :18])
    assert (rows[:, 36:] == rows[0, 36:]).all()  # the goal


def test_a_copied_model_moves_as_the_packages_own() -> None:
    own = metaworld.ALL_V3_ENVIRONMENTS["push-v3"]()
    own.set_task(metaworld.MT1("push-v3", seed=0).train_tasks[7])
    own_rows = [own.reset()[0]]
    ours = MetaWorldEnv(PUSH, goals="official")
    our_rows = [ours.reset(seed=57)[0]]
    rng = np.random.default_rng(0)
    for _ in range(20):
        action = rng.uniform(-1, 1, 4).astype(np.float32)
        own_rows.append(own.step(action)[0])
        our_rows.append(ours.step(action)[0])
    assert np.array_equal(own_rows, our_rows)


def test_a_goal_can_be_hidden(push: Any) -> None:
    hidden = MetaWorldEnv(PUSH, hide_goal=True)
    rows = episode(hidden, 3)
    assert not rows[:, 36:].any() and not hidden.observation_space.high[36:].any()
    assert np.array_equal(rows[:, :36], episode(push, 3)[:, :36])


def test_there_are_fifty_official_goals() -> None:
    env = MetaWorldEnv(PUSH, goals="official")
    goals = [tuple(env.reset(seed=seed)[0][36:]) for seed in (0, 1, 49, 50, 1_000_000)]
    assert len(set(goals[:3])) == 3 and goals[0] == goals[3] == goals[4]
    hidden = MetaWorldEnv(PUSH, goals="official", hide_goal=True)
    assert not hidden.reset(seed=0)[0][36:].any()


def test_episodes_are_truncated_and_never_terminate() -> None:
    env = gym.make(DOOR)
    env.reset(seed=0)
    ends = [env.step(np.zeros(4, np.float32))[2:4] for _ in range(EPISODE_STEPS)]
    assert ends == [(False, False)] * (EPISODE_STEPS - 1) + [(False, True)]
    env.reset(seed=0)
    assert "success" in env.step(np.zeros(4, np.float32))[4]


@pytest.mark.filterwarnings("ignore:.*A Box observation space m..imum value is")
def test_gymnasium_finds_nothing_wrong_with_it() -> None:
    env = gym.make(DOOR)
    check_env(env.unwrapped, skip_render_check=True)
    assert env.spec is not None and env.spec.id == DOOR
    assert gym.spec(PUSH).kwargs == {"task": PUSH}


@pytest.mark.parametrize(("camera", "turned"), [("corner2", True), ("topview", False)])
def test_the_cameras_in_the_corners_are_turned(camera: str, turned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    env = MetaWorldEnv(DOOR, camera_name=camera)
    picture = np.arange(18).reshape(2, 3, 3)
    monkeypatch.setattr(env.robot, "render", lambda: picture, raising=False)
    assert np.array_equal(env.render(), picture[::-1, ::-1] if turned else picture)


def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(UserError, match=r"did you mean metaworld/door-open-v3\?"):
        MetaWorldEnv("metaworld/door-open-v2")
    with pytest.raises(UserError, match=r"unknown goals 'oficial', valid: .*; did you mean official\?"):
        MetaWorldEnv("metaworld/door-open-v3", goals="oficial")  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"metaworld/mt10 is a group; name one of its tasks: metaworld/button"):
        MetaWorldEnv("metaworld/mt10")


@pytest.mark.parametrize(
    ("versions", "message"),
    [
        ({}, r"Meta-World is not installed: pip install 'diffsr-hub\[metaworld\]'"),
        ({"metaworld": "3.0.0", "mujoco": "3.3.0"}, r"metaworld 3.0.0 is too old, 3.1 is needed"),
        (
            {"metaworld": "3.1.1", "mujoco": "4.0.0"},
            r"metaworld 3.1.1 needs mujoco==3.3.0, not 4.0.0: pip install 'mujoco==3.3.0'",
        ),
    ],
)
def test_what_is_wrong_with_the_installation_is_said(
    versions: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(package: str) -> str:
        if package not in versions:
            raise importlib.metadata.PackageNotFoundError(package)
        return versions[package]

    monkeypatch.setattr(environment, "version", version)
    with pytest.raises(UserError, match=message):
        check_installation.__wrapped__()
