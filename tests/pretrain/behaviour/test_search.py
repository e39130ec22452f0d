import json
import re
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from sb3_contrib import ARS
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

from diffsr_hub.errors import UserError
from diffsr_hub.suites.pixels.repeat import Repeat
from pretrain.behaviour import linear, search
from pretrain.behaviour.linear import LinearPolicy, mean_return
from pretrain.behaviour.search import fold, main, tiers


def test_a_folded_policy_equals_the_policy_behind_its_normaliser() -> None:
    env = VecNormalize(make_vec_env("Hopper-v5", seed=0), norm_reward=False)
    model = ARS("LinearPolicy", env, seed=0)
    rng = np.random.default_rng(0)
    model.policy.load_from_vector(rng.normal(size=33).astype(np.float32))
    obs = rng.normal(2.0, 3.0, size=(50, 11))
    assert not isinstance(env.obs_rms, dict)
    env.obs_rms.update(obs)
    with torch.no_grad():
        expected = model.policy(torch.as_tensor(env.normalize_obs(obs), dtype=torch.float32)).numpy()
    folded = fold(model, env)
    np.testing.assert_allclose([folded(row) for row in obs], expected, rtol=1e-4, atol=1e-5)


def test_tiers_are_measured_again_and_not_taken_at_their_lucky_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_EPISODES", 2)
    env = gym.make("InvertedPendulum-v5")
    balances = np.array([[3.0, 30.0, 2.0, 4.0]]) / 3
    found = [(1000.0 * share, LinearPolicy("met", share * balances, np.zeros(1))) for share in (0.0, 0.1, 0.5, 1.0)]
    found[0] = (2000.0, found[0][1])  # lucky: standing still
    best, medium, weak = tiers(found, env)
    assert [best.name, medium.name, weak.name] == ["best", "medium", "weak"]
    reached = [mean_return(env, policy, 0.0, episodes=3, seed=0) for policy in (best, medium, weak)]
    assert reached[0] == 1000 and reached[1] <= 1000
    assert best.weight.any()


def test_tiers_are_different_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where one of those that were met is the closest to a half and to a quarter of the best return."""
    monkeypatch.setattr(search, "_EPISODES", 1)
    monkeypatch.setattr(search, "mean_return", lambda _, policy, *__, **___: float(policy.bias[0]))
    env = gym.make("InvertedPendulum-v5")
    found = [
        (value, LinearPolicy("met", np.zeros((1, 4)), np.array([value]))) for value in (1000.0, 380.0, 990.0, -5.0)
    ]
    assert [policy.bias[0] for policy in tiers(found, env)] == [1000, 380, -5]
    with pytest.raises(UserError, match="met 2 of 3 policies: give more --steps or a smaller --every"):
        tiers(found[:2], env)


def test_a_tiny_search_ships_a_policy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new"
    main(["invertedpendulum", "--steps", "1000", "--every", "1", "--folder", str(folder)])
    assert "best" in capsys.readouterr().out
    monkeypatch.setattr(linear, "POLICIES", folder)
    record = linear.load("invertedpendulum")
    assert record.command == "python pretrain/behaviour/search.py invertedpendulum --steps 1000 --seed 0 --every 1"
    assert [policy.name for policy in record.policies] == ["best", "medium", "weak"]
    assert record.policies[0].weight.shape == (1, 4) and record.policies[0].bias.shape == (1,)
    again = mean_return(gym.make(record.env), record.policies[0], 0.0, episodes=record.episodes, seed=10_000)
    assert again == pytest.approx(record.policies[0].returns["0.0"], abs=0.06)  # anybody can check a record


def test_a_search_stopped_by_ctrl_c_records_the_command_that_repeats_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopped(search._KeepPolicies):
        def _on_rollout_start(self) -> None:
            if self.updates == 3:
                raise KeyboardInterrupt
            super()._on_rollout_start()

    monkeypatch.setattr(search, "_EPISODES", 2)
    with monkeypatch.context() as patch:
        patch.setattr(search, "_KeepPolicies", Stopped)
        main(["invertedpendulum", "--seed", "5", "--every", "1", "--folder", str(tmp_path)])
    stopped = (tmp_path / "invertedpendulum.json").read_text()
    command = json.loads(stopped)["command"].split()
    main([*command[2:], "--folder", str(tmp_path)])
    assert (tmp_path / "invertedpendulum.json").read_text() == stopped


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["hoper"], "error: unknown robot 'hoper', valid: .*; did you mean hopper"),
        (["hopper", "--every", "0"], "error: --steps, --every and --action_repeat must be at least 1"),
        (
            ["hopper", "--seed", "-1"],
            "error: --steps, --every and --action_repeat must be at least 1, --seed at least 0",
        ),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    capture = capsys.readouterr().err
    assert capture.count("\n") == 1
    assert re.match(message, capture)


def test_a_search_with_repeated_actions_has_a_record_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["invertedpendulum", "--steps", "600", "--every", "1", "--action_repeat", "2", "--folder", str(tmp_path)])
    monkeypatch.setattr(linear, "POLICIES", tmp_path)
    record = linear.load("invertedpendulum", action_repeat=2)
    assert record.action_repeat == 2 and record.command.endswith("--every 1 --action_repeat 2")
    env = Repeat(gym.make(record.env), 2)
    again = mean_return(env, record.policies[0], 0.0, episodes=record.episodes, seed=10_000)
    assert again == pytest.approx(record.policies[0].returns["0.0"], abs=0.06)
    with pytest.raises(UserError, match=r"unknown robot whose actions act 3 times 'hopper', valid: none"):
        linear.load("hopper", action_repeat=3)
