"""Laws of the new tasks: the environment pays what the function says, the robot's spaces stay, nothing leaks."""

import copy
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import pytest
import torch
from gymnasium.envs.mujoco import MujocoEnv
from gymnasium.utils.env_checker import check_env
from numpy.typing import NDArray

from diffsr_hub.errors import UserError
from diffsr_hub.suites.mujoco.environment import change_dynamics
from diffsr_hub.suites.mujoco.rewards import HALF_CHEETAH, HOPPER, WALKER2D, Robot, fallen, speed
from diffsr_hub.suites.mujoco.suite import MUJOCO
from diffsr_hub.suites.mujoco.tasks import TASKS, relabel, task
from diffsr_hub.transitions import Transitions
from pretrain.behaviour import linear

PAGE = Path(__file__).parents[4] / "docs" / "tasks.md"
ROBOTS = [HOPPER, HALF_CHEETAH, WALKER2D]
NEW_DYNAMICS = [name for name, entry in TASKS.items() if (entry.torso_mass, entry.gear, entry.friction) != (1, 1, 1)]
NEW_GOALS = sorted(TASKS.keys() - set(NEW_DYNAMICS))
Step = tuple[NDArray[Any], NDArray[Any], float, NDArray[Any], bool, dict[str, Any]]
Act = Callable[[NDArray[Any]], NDArray[Any]]
MUJOCO.register()


def play(env: gym.Env[Any, Any], steps: int, act: Act | None = None, seed: int = 0) -> list[Step]:
    """Steps of whole episodes; random actions without `act`, the same for the same seed."""
    rng = np.random.default_rng(seed)
    assert isinstance(env.action_space, gym.spaces.Box)
    shape = env.action_space.shape
    obs, _ = env.reset(seed=seed)
    seen: list[Step] = []
    while len(seen) < steps:
        wanted = rng.uniform(-1, 1, shape) if act is None else act(obs) + 0.1 * rng.standard_normal(shape)
        action = np.clip(wanted, -1, 1).astype(np.float32)
        next_obs, reward, terminated, truncated, info = env.step(action)
        seen.append((obs, action, float(reward), next_obs, terminated, info))
        obs = env.reset()[0] if terminated or truncated else next_obs
    return seen


def skilled(env_id: str) -> Act:
    """The best bundled policy of the robot."""
    return linear.load(TASKS[env_id].robot.env_id.partition("-")[0].lower()).policies[0]


def simulation(env_id: str) -> Any:
    env = gym.make(env_id).unwrapped
    assert isinstance(env, MujocoEnv)
    return env


def as_transitions(steps: list[Step]) -> Transitions:
    obs, action, reward, next_obs, terminated, _ = (np.array(column) for column in zip(*steps, strict=True))
    tensors = (torch.from_numpy(column).float() for column in (obs, action, reward, next_obs))
    obs_, action_, reward_, next_obs_ = tensors
    return Transitions(obs_, action_, reward_, next_obs_, torch.from_numpy(terminated))


def test_there_are_tasks_for_three_robots_and_gymnasium_lists_them() -> None:
    assert len(TASKS) >= 12
    assert {entry.robot for entry in TASKS.values()} == set(ROBOTS)
    assert TASKS.keys() <= gym.registry.keys()
    assert all(name == entry.env_id for name, entry in TASKS.items())
    assert gym.make("finetune.tasks:diffsr/Hopper-jump-v0").spec == gym.make("diffsr/Hopper-jump-v0").spec


@pytest.mark.parametrize("env_id", TASKS)
def test_the_spaces_are_the_robots(env_id: str) -> None:
    ours, base = gym.make(env_id), gym.make(TASKS[env_id].robot.env_id)
    assert ours.observation_space == base.observation_space
    assert ours.action_space == base.action_space
    assert ours.spec is not None and base.spec is not None
    assert ours.spec.max_episode_steps == base.spec.max_episode_steps


@pytest.mark.parametrize("robot", ROBOTS, ids=lambda robot: robot.env_id)
def test_what_is_written_down_of_a_robot_is_gymnasiums(robot: Robot) -> None:
    base = simulation(robot.env_id)
    space = base.action_space
    assert isinstance(space, gym.spaces.Box) and base.observation_space.shape == (robot.obs_dim,)
    assert space.shape == (robot.action_dim,) and (space.low == -1).all() and (space.high == 1).all()
    assert robot.x_velocity == base.model.nq - 1
    assert robot.standing_height == base.init_qpos[1]
    defaults = {name: p.default for name, p in inspect.signature(type(base).__init__).parameters.items()}
    assert robot.control_cost == defaults["ctrl_cost_weight"]
    assert robot.healthy_reward == defaults.get("healthy_reward", 0.0)
    assert robot.healthy_height == defaults.get("healthy_z_range", (-np.inf, np.inf))
    assert robot.healthy_pitch == defaults.get("healthy_angle_range", (-np.inf, np.inf))
    assert (-robot.healthy_state, robot.healthy_state) == defaults.get("healthy_state_range", (-np.inf, np.inf))
    joints = [base.model.joint(index).name for index in range(3)]
    assert joints == ["rootx", "rootz", "rooty"]


@pytest.mark.filterwarnings("ignore:.*A Box observation space m(in|ax)imum value is -?infinity")
@pytest.mark.parametrize("env_id", TASKS)
def test_gymnasium_accepts_the_environment(env_id: str) -> None:
    check_env(gym.make(env_id).unwrapped, skip_render_check=True)


@pytest.mark.parametrize("env_id", TASKS)
def test_the_environment_pays_and_ends_exactly_as_the_functions_say(env_id: str) -> None:
    entry, steps = TASKS[env_id], play(gym.make(env_id), 200)
    for obs, action, reward, next_obs, terminated, info in steps:
        assert reward == entry.reward(obs, action, next_obs)
        assert terminated == entry.terminated(next_obs)
        assert {"x_position", "x_velocity", "reward_forward", "reward_ctrl"} <= info.keys()
    assert any(terminated for *_, terminated, _ in steps) == (entry.robot != HALF_CHEETAH)


@pytest.mark.parametrize("env_id", TASKS)
def test_torch_and_numpy_agree_for_every_leading_shape(env_id: str) -> None:
    entry, rng = TASKS[env_id], np.random.default_rng(0)
    robot = entry.robot
    for shape in [(), (5,), (2, 3)]:
        obs = rng.normal(size=(*shape, robot.obs_dim))
        next_obs = rng.normal(size=(*shape, robot.obs_dim)) * 0.3 + np.eye(robot.obs_dim)[0]
        action = rng.uniform(-1, 1, (*shape, robot.action_dim))
        ours = entry.reward(obs, action, next_obs)
        theirs = entry.reward(*map(torch.from_numpy, (obs, action, next_obs)))
        ends = entry.terminated(torch.from_numpy(next_obs))
        assert np.shape(ours) == theirs.shape == ends.shape == shape
        assert theirs.dtype == torch.float64 and ends.dtype == torch.bool
        np.testing.assert_allclose(theirs, ours, rtol=1e-12)
        np.testing.assert_array_equal(ends, entry.terminated(next_obs))
        for index in np.ndindex(shape):
            np.testing.assert_allclose(entry.reward(obs[index], action[index], next_obs[index]), ours[index])


def test_rewards_by_hand() -> None:
    obs, next_obs, action = np.zeros(11), np.zeros(11), np.array([1.0, 0.0, -1.0])
    obs[[0, 5]], next_obs[[0, 5, 6, 7]] = (1.25, 2.0), (1.45, 4.0, 1.0, 2.0)
    upkeep = 1 - 2e-3
    by_hand = {"backward": -3, "jump": 3, "speed1": -1, "stand": 1 / 22, "heavy": 3, "weak": 3, "ice": 3}
    for what, value in by_hand.items():
        assert TASKS[f"diffsr/Hopper-{what}-v0"].reward(obs, action, next_obs) == pytest.approx(value + upkeep)
    next_obs[0] = 1.0  # crouching is free
    assert TASKS["diffsr/Hopper-jump-v0"].reward(obs, action, next_obs) == pytest.approx(upkeep)
    next_obs[0] = 0.7  # fallen: no reward for health
    assert TASKS["diffsr/Hopper-weak-v0"].reward(obs, action, next_obs) == pytest.approx(3 - 2e-3)


@pytest.mark.parametrize("robot", ROBOTS, ids=lambda robot: robot.env_id)
def test_the_health_rule_is_gymnasiums(robot: Robot) -> None:
    env, rng = simulation(robot.env_id), np.random.default_rng(0)
    answers = set()
    for _ in range(300):
        position, velocity = rng.normal(size=env.model.nq) * 0.3, rng.normal(size=env.model.nv) * 20
        position[1] = rng.uniform(0.6, 2.1)
        env.set_state(position, velocity)
        obs = env._get_obs()
        expected = not getattr(env, "is_healthy", True)
        assert fallen(robot, obs) == expected
        answers.add(expected)
    assert answers == ({False} if robot == HALF_CHEETAH else {False, True})
    assert fallen(robot, np.full(robot.obs_dim, np.nan)) == (robot != HALF_CHEETAH)


@pytest.mark.parametrize("env_id", NEW_GOALS)
def test_relabelled_data_of_the_robot_is_data_of_the_task(env_id: str) -> None:
    robot = TASKS[env_id].robot
    base, theirs = (as_transitions(play(gym.make(name), 200, skilled(env_id))) for name in (robot.env_id, env_id))
    ours = relabel(env_id, base)
    assert torch.equal(ours.next_obs, theirs.next_obs) and torch.equal(ours.terminated, theirs.terminated)
    torch.testing.assert_close(ours.reward, theirs.reward, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(ours.reward, base.reward, atol=0.1)
    assert ours.reward.dtype == torch.float32


@pytest.mark.parametrize("env_id", NEW_DYNAMICS)
def test_new_dynamics_are_really_new_and_survive_a_reset(env_id: str) -> None:
    base, ours = simulation(TASKS[env_id].robot.env_id), simulation(env_id)
    for _ in range(2):
        start, _ = base.reset(seed=3)
        np.testing.assert_array_equal(start, ours.reset(seed=3)[0])
        ends = []
        for env in (base, ours):
            actions = np.random.default_rng(0).uniform(-1, 1, (40, *env.action_space.shape)).astype(np.float32)
            ends.append([env.step(action)[0] for action in actions][-1])
        assert np.abs(ends[0] - ends[1]).max() > 1e-3


def measured(env_id: str, steps: int) -> NDArray[np.float64]:
    """`[2, T]`: the task's reward and the one Gymnasium would have paid, random and skilled steps."""
    env = gym.make(env_id)
    seen = play(env, steps) + play(env, steps, skilled(env_id))
    terms = ("reward_forward", "reward_ctrl", "reward_survive")
    return np.array([[reward, sum(info.get(term, 0.0) for term in terms)] for _, _, reward, _, _, info in seen]).T


@pytest.mark.parametrize("env_id", NEW_DYNAMICS)
def test_the_observed_reward_is_nearly_gymnasiums_and_as_near_as_the_page_says(env_id: str) -> None:
    ours, gymnasiums = measured(env_id, 500)
    name = TASKS[env_id].robot.env_id
    row = re.search(rf"\| {name} \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|", PAGE.read_text())
    assert row is not None
    largest, correlation, bias = map(float, row.groups())
    assert np.abs(ours - gymnasiums).max() <= largest
    # The page's other two are over twenty times the steps, where they are steadier.
    assert 1 - np.corrcoef(ours, gymnasiums)[0, 1] <= 2 * (1 - correlation)
    assert abs((ours - gymnasiums).mean()) <= 2 * bias


def test_a_heavier_torso_is_heavier_and_only_here() -> None:
    for robot in ROBOTS:
        name = robot.env_id.removesuffix("-v5")
        heavy, after = simulation(f"diffsr/{name}-heavy-v0").model, simulation(robot.env_id).model
        other = simulation(f"diffsr/{name}-jump-v0").model
        torso = after.body(robot.torso).id
        assert heavy.body_mass[torso] == pytest.approx(1.5 * after.body_mass[torso], rel=1e-12)
        np.testing.assert_allclose(heavy.body_inertia[torso], 1.5 * after.body_inertia[torso], rtol=1e-12)
        np.testing.assert_array_equal(np.delete(heavy.body_mass, torso), np.delete(after.body_mass, torso))
        np.testing.assert_array_equal(other.body_mass, after.body_mass)


def test_a_heavier_torso_is_what_mujoco_compiles_from_a_denser_one() -> None:
    env = simulation("Hopper-v5")
    spec = mujoco.MjSpec.from_file(env.fullpath)
    spec.geom("torso_geom").density *= 1.5
    expected, ours = spec.compile(), simulation("diffsr/Hopper-heavy-v0").model
    for field in ("body_mass", "body_inertia", "body_subtreemass", "dof_invweight0", "body_invweight0", "dof_M0"):
        np.testing.assert_allclose(getattr(ours, field), getattr(expected, field), rtol=1e-9, err_msg=field)


@pytest.mark.parametrize("robot", ROBOTS, ids=lambda robot: robot.env_id)
def test_weak_motors_accelerate_less_and_ice_holds_less(robot: Robot) -> None:
    name = robot.env_id.removesuffix("-v5")
    base, weak, ice = map(simulation, (robot.env_id, f"diffsr/{name}-weak-v0", f"diffsr/{name}-ice-v0"))
    torques = []
    for env in (base, weak):
        position = env.init_qpos.copy()
        position[1] += 1.0  # in the air, where motors are all that moves the joints
        env.set_state(position, 0 * env.init_qvel)
        gravity = env.data.qacc.copy()
        env.data.ctrl[:] = 0.5
        mujoco.mj_forward(env.model, env.data)
        torques.append(np.abs(env.data.qacc - gravity)[3:])
    np.testing.assert_allclose(torques[1], 0.7 * torques[0], rtol=1e-3)
    np.testing.assert_allclose(ice.model.geom_friction[:, 0], 0.3 * base.model.geom_friction[:, 0])
    np.testing.assert_array_equal(ice.model.geom_friction[:, 1:], base.model.geom_friction[:, 1:])
    np.testing.assert_array_equal(ice.model.actuator_gear, base.model.actuator_gear)


def test_a_task_without_new_dynamics_leaves_the_model_alone() -> None:
    env = simulation("Hopper-v5")
    before = [env.model.body_mass.copy(), env.model.body_invweight0.copy(), env.data.qpos.copy()]
    change_dynamics(TASKS["diffsr/Hopper-jump-v0"], env.model, env.data)
    for old, new in zip(before, (env.model.body_mass, env.model.body_invweight0, env.data.qpos), strict=True):
        np.testing.assert_array_equal(old, new)


def test_doing_nothing_keeps_only_the_cheetah_standing() -> None:
    returns = {}
    for robot in ROBOTS:
        env = gym.make(f"diffsr/{robot.env_id.removesuffix('-v5')}-stand-v0")
        env.reset(seed=0)
        ended = False
        returns[robot] = 0.0
        while not ended:
            _, reward, terminated, truncated, _ = env.step(np.zeros(robot.action_dim, np.float32))
            returns[robot] += float(reward)
            ended = terminated or truncated
    assert returns[HALF_CHEETAH] == pytest.approx(996, abs=5)  # as the page says
    assert max(returns[HOPPER], returns[WALKER2D]) < 400


@pytest.mark.parametrize("env_id", TASKS)
def test_the_same_seed_gives_the_same_trajectory(env_id: str) -> None:
    first, again, other = (as_transitions(play(gym.make(env_id), 30, seed=seed)) for seed in (1, 1, 2))
    assert all(map(torch.equal, first, again))
    assert not torch.equal(first.next_obs, other.next_obs)


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_vectors_of_environments_pay_the_same(mode: str) -> None:
    env_id = "diffsr/Walker2d-heavy-v0"
    envs, alone = gym.make_vec(env_id, 2, vectorization_mode=mode), gym.make(env_id)
    start, _ = envs.reset(seed=5)
    np.testing.assert_array_equal(start[1], alone.reset(seed=6)[0])
    for action in np.random.default_rng(0).uniform(-1, 1, (5, 2, 6)).astype(np.float32):
        _, rewards, *_ = envs.step(action)
        assert rewards[1] == alone.step(action[1])[1]
    envs.close()


def test_a_copy_of_an_environment_is_of_the_same_task() -> None:
    env = simulation("diffsr/Hopper-heavy-v0")
    again = copy.deepcopy(env)
    np.testing.assert_array_equal(env.model.body_mass, again.model.body_mass)
    assert again.task == env.task


def test_rendering_arguments_pass_through_and_others_are_refused() -> None:
    env = gym.make("diffsr/Hopper-ice-v0", render_mode="rgb_array", width=64, height=48)
    assert env.render_mode == "rgb_array"
    assert tuple(vars(env.unwrapped)[side] for side in ("width", "height")) == (64, 48)
    for refused in ({"exclude_current_positions_from_observation": False}, {"healthy_reward": 5.0}):
        arguments: dict[str, Any] = refused
        with pytest.raises(UserError, match=f"{next(iter(refused))}.*reset_noise_scale"):
            gym.make("diffsr/Hopper-ice-v0", **arguments)


def test_ids_of_others_have_no_task_and_a_misspelt_one_gets_a_guess() -> None:
    assert task("Hopper-v5") is None
    assert task("diffsr/Hopper-jump-v0") is TASKS["diffsr/Hopper-jump-v0"]
    with pytest.raises(UserError, match="did you mean diffsr/Hopper-jump-v0"):
        task("diffsr/Hopper-jumps-v0")


def test_relabelling_refuses_unknown_rewards_and_other_robots() -> None:
    data = as_transitions(play(gym.make("Hopper-v5"), 5))
    with pytest.raises(UserError, match=r"'Ant-v5', valid: diffsr/HalfCheetah-backward-v0"):
        relabel("Ant-v5", data)
    with pytest.raises(UserError, match=r"diffsr/Walker2d-jump-v0 .* 17 .* 6 .* 11 and 3.*Walker2d-v5"):
        relabel("diffsr/Walker2d-jump-v0", data)


def test_the_page_lists_every_task_with_its_sentence_and_formula() -> None:
    rows = re.findall(r"^\| `(diffsr/[^`]+)` \| (.+) \| (.+) \| `(.+)` \|$", PAGE.read_text(), re.MULTILINE)
    assert [row[0] for row in rows] == list(TASKS)
    for name, robot, summary, formula in rows:
        entry = TASKS[name]
        assert (robot, summary) == (entry.robot.env_id, entry.summary)
        target = re.search(r"-speed(\d)-", name)
        written = re.search(r"`([^`]+ \+ upkeep)`", inspect.getdoc(speed if target else entry.goal) or "")
        assert written is not None
        assert formula == (written[1].replace("target", target[1]) if target else written[1])
