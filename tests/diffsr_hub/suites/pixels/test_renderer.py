import copy
from dataclasses import replace
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import pytest
from numpy.typing import NDArray

from diffsr_hub.suites.meta_world.environment import MetaWorldEnv
from diffsr_hub.suites.pixels.names import VIEWS
from diffsr_hub.suites.pixels.renderer import Renderer, cheap_copy, find_camera
from tests.opengl import needs_opengl
from tests.refusal import refusal

ROBOTS = ("HalfCheetah", "Hopper", "Walker2d")


def simulation(robot: str) -> Any:
    env: Any = gym.make(f"{robot}-v5").unwrapped
    env.reset(seed=0)
    return env


def picture(env: Any, robot: str, **qpos: float) -> NDArray[np.int64]:
    """Of the robot at rest, with some of its joints elsewhere."""
    position = env.init_qpos.copy()
    for joint, angle in qpos.items():
        position[env.model.joint(joint).qposadr[0]] = angle
    env.set_state(position, 0 * env.init_qvel)
    renderer = Renderer(env.model, VIEWS[robot])
    drawn = renderer(env.data)
    renderer.close()
    return drawn.astype(np.int64)


@needs_opengl
@pytest.mark.parametrize("robot", ROBOTS)
def test_every_joint_is_seen(robot: str) -> None:
    env = simulation(robot)
    rest = picture(env, robot)
    assert rest.shape == (64, 64, 3)
    for joint in range(3, env.model.njnt):
        low, high = env.model.jnt_range[joint]
        moved = picture(env, robot, **{env.model.joint(joint).name: 0.7 * (low if abs(low) > abs(high) else high)})
        assert (np.abs(moved - rest).max(-1) > 50).sum() >= 8, env.model.joint(joint).name


@needs_opengl
@pytest.mark.parametrize("robot", ROBOTS)
def test_the_robot_is_in_the_middle_wherever_it_is_and_the_floor_never_ends(robot: str) -> None:
    env = simulation(robot)
    floor = env.model.geom("floor").id
    period = 2 * env.model.geom_size[floor, 0] / env.model.mat_texrepeat[env.model.geom_matid[floor], 0]
    here = picture(env, robot)
    for times in (100, 1000):
        there = picture(env, robot, rootx=times * period)
        assert np.abs(there - here).mean() < 0.1, times
    assert np.abs(picture(env, robot, rootx=0.25 * period) - here).mean() > 1  # how far it moved is seen


@needs_opengl
@pytest.mark.parametrize("robot", ROBOTS)
def test_pictures_are_equal_from_one_renderer_to_another_whoever_draws_in_between(robot: str) -> None:
    env = simulation(robot)
    alone = picture(env, robot)
    first, second = Renderer(env.model, VIEWS[robot]), Renderer(env.model, replace(VIEWS[robot], size=32))
    for _ in range(2):
        assert second(env.data).shape == (32, 32, 3)
        np.testing.assert_array_equal(first(env.data), alone)
    second.close()
    second.close()
    np.testing.assert_array_equal(first(env.data), alone)


def test_the_model_that_physics_uses_stays_as_it_is() -> None:
    for env in (simulation("Hopper"), MetaWorldEnv("metaworld/hammer-v3").robot):
        before = copy.copy(env.model)
        cheap = cheap_copy(env.model, VIEWS["metaworld"])
        assert cheap.geom_size.max() > env.model.geom_size.max()
        for name in ("mesh_vert", "mesh_face", "mesh_facenum", "geom_size", "mat_texrepeat"):
            np.testing.assert_array_equal(getattr(env.model, name), getattr(before, name), err_msg=name)
        assert env.model.vis.quality.shadowsize == before.vis.quality.shadowsize != cheap.vis.quality.shadowsize


def test_meta_worlds_arm_has_a_tenth_of_its_faces() -> None:
    model = MetaWorldEnv("metaworld/door-open-v3").robot.model
    thinned = cheap_copy(model, VIEWS["metaworld"])
    assert thinned.mesh_facenum.sum() < model.mesh_facenum.sum() / 10
    assert thinned.mesh_facenum.min() >= 4


@needs_opengl
def test_a_camera_that_hangs_upside_down_is_turned() -> None:
    world = """<mujoco><worldbody><light pos="0 -2 2"/><geom size=".2" pos="0 0 .8" rgba="1 0 0 1"/>
        <camera name="up" pos="0 -3 0" xyaxes="1 0 0 0 0 1"/><camera name="down" pos="0 -3 0" xyaxes="-1 0 0 0 0 -1"/>
        </worldbody></mujoco>"""
    model = mujoco.MjModel.from_xml_string(world)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    for name in ("up", "down"):
        drawn = Renderer(model, replace(VIEWS["metaworld"], camera=name))(data)
        assert drawn[:32].max() > 50 and drawn[32:].max() == 0, name


def test_a_camera_that_does_not_exist_is_refused_with_those_that_do() -> None:
    message = refusal(lambda: find_camera(simulation("Hopper").model, "side"))
    assert "unknown camera 'side', valid: track" in message
