"""Laws of an agent: saved and loaded it is the same, acts inside the bounds, and refuses what it is not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

import diffsr_hub
from diffsr_hub import DiffSR
from diffsr_hub.errors import UserError
from finetune import Agent
from tests.finetune.toys import ENCODER, small_agent

POLICIES = ["deterministic", "maximum_entropy"]
GOLDEN = Path(__file__).parents[2] / "golden" / "agent-v1"


@pytest.fixture
def folder(tmp_path: Path, make_encoder: Callable[..., DiffSR]) -> Path:
    """A saved agent on an encoder whose every number matters."""
    torch.manual_seed(0)
    agent = small_agent()
    agent.encoder.load_state_dict(make_encoder().state_dict())
    agent.reward_scale.fill_(3.0)
    agent.save_pretrained(tmp_path / "agent")
    return tmp_path / "agent"


def observations(size: int = 9) -> Any:
    return np.random.default_rng(0).standard_normal((size, 3)) * 5


@pytest.mark.parametrize("policy", POLICIES)
def test_what_is_loaded_is_what_was_saved(tmp_path, policy):
    agent = small_agent(policy=policy, bound=0.4, exploration_noise=0.3)
    agent.save_pretrained(tmp_path)
    for loaded in (Agent.from_pretrained(tmp_path), diffsr_hub.from_pretrained(tmp_path)):
        assert isinstance(loaded, Agent) and not loaded.training
        assert loaded.arguments == agent.arguments
        for name, tensor in agent.state_dict().items():
            assert torch.equal(loaded.state_dict()[name], tensor), name
        obs = observations()
        assert np.array_equal(loaded.predict(obs, deterministic=True)[0], agent.predict(obs, deterministic=True)[0])
        values = [a.value(torch.tensor(obs).float(), torch.zeros(9, 2)) for a in (loaded, agent)]
        assert torch.equal(*values)
        loaded.save_pretrained(tmp_path / "again")
        for name in ("config.json", "model.safetensors"):
            assert (tmp_path / "again" / name).read_bytes() == (tmp_path / name).read_bytes()


def test_the_golden_agent_of_format_1_acts_alike_for_ever():
    """Every release must load `tests/golden/agent-v1` and reproduce the outputs stored beside it.

    The folder must never be written again: a new format gets a new folder. It was made, once, by:

        torch.manual_seed(0)
        encoder = DiffSR(3, 2, feature_dim=4, psi_hidden=(8,), nu_hidden=(8,), num_levels=4, num_frequencies=4)
        agent = Agent(encoder.arguments, "test/Toy-v0", [-0.4, -2.0], [0.4, 3.0], actor_hidden=(8,),
                      critic_frequencies=4)
        for parameter in agent.parameters():
            torch.nn.init.normal_(parameter, std=0.4)
        agent.encoder.set_statistics(torch.tensor([1.0, -2.0, 30.0]), torch.tensor([0.5, 2.0, 10.0]),
                                     torch.tensor(1.0), torch.tensor(3.0))
        agent.reward_scale.fill_(3.0)
        agent.save_pretrained(GOLDEN)
        obs, action = torch.randn(4, 3) * agent.encoder.obs_std + agent.encoder.obs_mean, torch.rand(4, 2) * 2 - 1
        with torch.no_grad():
            save_file({"obs": obs, "action": action,
                       "acts": torch.from_numpy(agent.predict(obs.numpy(), deterministic=True)[0]),
                       "values": agent.value(obs, action).contiguous()}, GOLDEN / "outputs.safetensors")
    """
    agent, stored = diffsr_hub.from_pretrained(GOLDEN), load_file(GOLDEN / "outputs.safetensors")
    acts = torch.from_numpy(agent.predict(stored["obs"].numpy(), deterministic=True)[0])
    torch.testing.assert_close(acts, stored["acts"])
    torch.testing.assert_close(agent.value(stored["obs"], stored["action"]).detach(), stored["values"])


def test_psi_is_the_encoders_bit_for_bit(tmp_path, make_encoder):
    """Before it was exported, after it was loaded, and inside the agent, before and after that was saved and loaded."""
    encoder, agent = make_encoder(), small_agent()
    encoder.save_pretrained(tmp_path / "encoder")
    agent.encoder.load_state_dict(DiffSR.from_pretrained(tmp_path / "encoder").state_dict())
    agent.save_pretrained(tmp_path / "agent")
    obs, action = torch.tensor(observations(7)).float(), torch.zeros(7, 2)
    expected = encoder.psi(obs, action)
    for found in (
        DiffSR.from_pretrained(tmp_path / "encoder"),
        agent.encoder,
        Agent.from_pretrained(tmp_path / "agent").encoder,
    ):
        assert torch.equal(found.psi(obs, action), expected)
        level = torch.arange(5)[:, None]
        assert found.energy(obs, action, obs, level).isfinite().all()


@given(
    st.lists(st.tuples(st.floats(-1e3, 1e3, width=32), st.floats(-1e3, 1e3, width=32)), min_size=2, max_size=2).filter(
        lambda bounds: all(abs(a - b) > 1e-3 for a, b in bounds)
    )
)
def test_actions_are_rescaled_into_any_bounds(bounds):
    low, high = [min(pair) for pair in bounds], [max(pair) for pair in bounds]
    agent = Agent({"obs_dim": 3, "action_dim": 2, **ENCODER}, "a", low, high, actor_hidden=[4], critic_frequencies=2)
    space = gym.spaces.Box(np.float32(low), np.float32(high))
    corners = agent.to_env(torch.tensor([[-1.0, -1.0], [1.0, 1.0], [0.0, 0.0], [0.37, -0.99]]))
    assert corners.dtype == np.float32 and all(space.contains(action) for action in corners)
    size = max(map(abs, [*low, *high]))
    np.testing.assert_allclose(corners[0], low, rtol=1e-5, atol=1e-6 * size)
    np.testing.assert_allclose(corners[1], high, rtol=1e-5, atol=1e-6 * size)
    np.testing.assert_allclose(corners[2], (np.float64(low) + np.float64(high)) / 2, rtol=1e-4, atol=1e-6 * size)


def test_predict_has_the_signature_of_stable_baselines():
    agent, obs = small_agent(bound=2.0), observations()
    several, state = agent.predict(obs, state=("s",), episode_start=np.ones(9, bool), deterministic=True)
    assert several.shape == (9, 2) and several.dtype == np.float32 and state == ("s",)
    one, none = agent.predict(obs[4], deterministic=True)
    assert one.shape == (2,) and none is None
    np.testing.assert_allclose(one, several[4], rtol=1e-5, atol=1e-6)
    assert (np.abs(several) <= 2).all()


@pytest.mark.parametrize("policy", POLICIES)
def test_only_exploration_is_random(policy):
    agent, obs = small_agent(policy=policy), observations()
    before = torch.get_rng_state()
    best = agent.predict(obs, deterministic=True)[0]
    assert torch.equal(torch.get_rng_state(), before)
    assert not np.array_equal(agent.predict(obs)[0], agent.predict(obs)[0])
    assert np.array_equal(agent.predict(obs, deterministic=True)[0], best)


@pytest.mark.parametrize("shape", [(), (4,), (9, 4)])
def test_an_observation_of_another_size_is_refused(shape):
    with pytest.raises(UserError, match="this agent observes 3 numbers"):
        small_agent().predict(np.zeros(shape))


def test_values_are_in_units_of_reward():
    agent, obs, action = small_agent(), torch.randn(4, 3), torch.zeros(4, 2)
    one = agent.value(obs, action)
    agent.reward_scale.fill_(7.0)
    assert one.shape == (2, 4)
    torch.testing.assert_close(agent.value(obs, action), 7 * one)


def test_weights_that_are_not_finite_are_not_saved(folder):
    agent = Agent.from_pretrained(folder)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with torch.no_grad():
        next(agent.actor.parameters())[0] = float("nan")
    with pytest.raises(UserError, match="not saved"):
        agent.save_pretrained(folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_the_environment_is_checked_where_it_is_given(folder):
    from tests.finetune.toys import LQR, Faulty

    Agent.from_pretrained(folder, env=Faulty())
    for load in (Agent.from_pretrained, diffsr_hub.from_pretrained):
        with pytest.raises(UserError, match=r"does not fit the environment.*2 numbers.*obs_dim is 3"):
            load(folder, env=LQR())


def refused(folder: Path) -> str:
    with pytest.raises(UserError) as error:
        Agent.from_pretrained(folder)
    assert "\n" not in str(error.value) and len(str(error.value)) < 1000
    return str(error.value)


def test_a_missing_and_an_extra_tensor_are_named(folder):
    tensors = load_file(folder / "model.safetensors")
    one = next(name for name in tensors if name.startswith("critic."))
    save_file({name: t for name, t in tensors.items() if name != one}, folder / "model.safetensors")
    assert f"missing '{one}'" in refused(folder)
    save_file({**tensors, "critic.more": torch.zeros(1)}, folder / "model.safetensors")
    assert "extra 'critic.more'" in refused(folder)
    save_file({**tensors, one: torch.zeros(1)}, folder / "model.safetensors")
    assert f"{one} is (1,)" in refused(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 99}, "install a newer one"),
        ({"format_version": True}, "format version"),
        ({"model_type": "DiffSR"}, "not a Agent|not an Agent"),
        ({"surprise": 1}, "unknown keys"),
        ({"critic_frequencies": 0}, "critic_frequencies"),
        ({"critic_frequencies": 10**9}, "critic_frequencies"),
        ({"critic_frequencies": "9" * 10_000}, "critic_frequencies"),
        ({"critic_frequencies": -1}, "critic_frequencies"),
        ({"critic_frequencies": True}, "critic_frequencies"),
        ({"actor_hidden": []}, "actor_hidden"),
        ({"actor_hidden": [10**8]}, "actor_hidden"),
        ({"actor_hidden": "aa"}, "actor_hidden"),
        ({"policy": "os.system"}, "policy"),
        ({"policy": ["x"] * 10_000}, "policy"),
        ({"bandwidth": "1"}, "bandwidth"),
        ({"bandwidth": float("nan")}, "not a finite number"),
        ({"exploration_noise": None}, "exploration_noise"),
        ({"exploration_noise": float("inf")}, "not a finite number"),
        ({"exploration_noise": -1}, "exploration_noise"),
        ({"env_id": {"a": 1}}, "env_id"),
        ({"action_low": 3}, "action_low"),
        ({"action_low": None}, "action_low"),
        ({"action_low": [-1]}, "action_low"),
        ({"action_low": ["a", "b"]}, "action_low"),
        ({"action_low": [float("-inf"), -1]}, "not a finite number"),
        ({"action_low": [float("nan"), -1]}, "not a finite number"),
        ({"action_low": [-3e38, -1], "action_high": [3e38, 1]}, "action_low"),
        ({"action_low": [1, 1]}, "below"),
        ({"action_high": {"0": 1, "1": 1}}, "action_high"),
        ({"action_high": [10**400, 1]}, "not a finite number"),
        ({"encoder": [3]}, "encoder"),
        ({"encoder": None}, "encoder"),
        ({"encoder": {"obs_dim": 3}}, "encoder"),
        ({"encoder": {"obs_dim": 3, "action_dim": 2, "evil": 1}}, "encoder"),
        ({"encoder": {"obs_dim": -3, "action_dim": 2}}, "obs_dim"),
        ({"encoder": {"obs_dim": 3, "action_dim": 2, "psi_hidden": [65536] * 64}}, ""),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_hostile_configuration_is_one_line(folder, change, message):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **change}))
    assert message.split("|")[0] in refused(folder)


@pytest.mark.parametrize("missing", ["encoder", "env_id", "action_low", "action_high", "model_type", "format_version"])
def test_a_configuration_without_a_key_is_one_line(folder, missing):
    config = json.loads((folder / "config.json").read_text())
    del config[missing]
    (folder / "config.json").write_text(json.dumps(config))
    refused(folder)


def test_an_encoder_is_no_agent(tmp_path, make_encoder):
    make_encoder().save_pretrained(tmp_path)
    assert "'DiffSR', not a" in refused(tmp_path)


@pytest.mark.parametrize("bound", [0.1, 0.7, 1.0, 1e-3, 123.456])
def test_no_action_leaves_a_space_of_float64(bound: float) -> None:
    """float32(0.1) is above 0.1."""
    agent = small_agent(bound=bound)
    space = gym.spaces.Box(-bound, bound, (2,), np.float64)
    actions = agent.to_env(torch.tensor([[-1.0, 1.0], [1.0, -1.0], [0.0, 0.5]]))
    assert actions.dtype == np.float32 and all(space.contains(action.astype(np.float64)) for action in actions)
    np.testing.assert_allclose(actions[0], [-bound, bound], rtol=1e-6)
