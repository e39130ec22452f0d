"""Laws of what an environment answers: a number where it is one, else one line, wherever the environment is used."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from diffsr_hub.errors import UserError
from finetune.acting.answers import Answers, check_finite, failures
from finetune.acting.environments import make
from finetune.acting.evaluation import evaluate
from finetune.acting.interaction import Interaction
from finetune.train import main
from tests.finetune.toys import flags, small_agent

ANSWER = {"observation": np.zeros(3, np.float32), "reward": 1.0, "terminated": False, "truncated": False, "info": {}}
SHOWN: dict[str, Any] = {}


class Odd(gym.Env[Any, Any]):
    """Answers as `SHOWN` says, from the third step of an episode on, which has 5, and after so many steps of all."""

    observation_space, action_space = Box(-np.inf, np.inf, (3,)), Box(-1, 1, (2,))
    steps = 0
    seen: list[Any] = []  # noqa: RUF012 (of the resets' options)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.time = 0
        Odd.seen.append(options)
        return SHOWN.get("first", ANSWER["observation"]), {}

    def step(self, action: Any) -> Any:
        self.time, Odd.steps = self.time + 1, Odd.steps + 1
        odd = self.time > 2 and Odd.steps > SHOWN.get("after", 0)
        answer = {**ANSWER, "truncated": self.time >= 5, **(SHOWN if odd else {})}
        return tuple(answer[name] for name in ANSWER)


class Plain(Odd):
    """Of numbers that are whole."""

    observation_space = Box(0, 255, (3,), np.uint8)


for kind in (Odd, Plain):
    gym.register(f"test/{kind.__name__}-v0", kind)


@pytest.fixture(autouse=True)
def shown() -> Any:
    Odd.seen.clear()
    Odd.steps = 0
    yield SHOWN
    SHOWN.clear()


def trained(env_id: str = "test/Odd-v0", steps: int = 7) -> list[float]:
    found = Interaction(lambda: make(env_id), 2, seed=0)
    returns = []
    for _ in range(steps):
        found.observe()
        returns += [episode.episode_return for episode in found.step(torch.zeros(2, 2), np.zeros((2, 2))).finished]
    return returns


def evaluated(env_id: str = "test/Odd-v0") -> list[float]:
    return list(evaluate(small_agent(), env_id, 2, seed=0).returns)


STAGES = pytest.mark.parametrize("stage", [trained, evaluated])


@STAGES
@pytest.mark.parametrize(
    "reward", [2, 2.0, [2.0], np.array([2]), np.array([[2.0]]), np.float32(2), torch.tensor(2.0, requires_grad=True)]
)
def test_a_reward_is_a_number_where_it_is_one(stage: Callable[[], list[float]], reward: Any) -> None:
    SHOWN["reward"] = reward
    assert stage() == [8.0, 8.0]


@STAGES
@pytest.mark.parametrize("end", [1, 1.0, np.True_, np.array(True), np.array([True]), torch.tensor(True)])
@pytest.mark.parametrize("name", ["terminated", "truncated"])
def test_an_end_is_a_flag_where_it_is_one(stage: Callable[[], list[float]], name: str, end: Any) -> None:
    SHOWN[name] = end
    assert stage()[:2] == [3.0, 3.0]


@STAGES
@pytest.mark.parametrize("obs", [[0.0, 1, 2], (0, 1, 2), np.arange(3), torch.ones(3), np.ones(3, np.float64)])
def test_an_observation_is_an_array_of_its_space_where_it_fits(stage: Callable[[], list[float]], obs: Any) -> None:
    SHOWN.update(observation=obs, first=obs)
    assert stage() == [5.0, 5.0]
    env = make("test/Odd-v0")
    found, _ = env.reset(seed=0)
    assert found.dtype == np.float32 and found.tolist() == [float(x) for x in obs]


@STAGES
@pytest.mark.parametrize(
    ("name", "answer", "message"),
    [
        ("reward", None, "gave None as its reward, which must be one number"),
        ("reward", np.array([1.0, 2.0]), r"gave array\(\[1\., 2\.\]\) as its reward, which must be one number"),
        ("reward", "1.0", "gave '1.0' as its reward"),
        ("reward", [[1.0], [1.0, 2.0]], "as its reward"),
        ("reward", 10**400, "as its reward"),
        ("reward", [np.nan], "NaN or infinite"),
        ("reward", 1e39, "NaN or infinite"),
        ("terminated", None, "gave None as its flag 'terminated', which must be true or false"),
        ("truncated", "False", "gave 'False' as its flag 'truncated'"),
        ("truncated", 2, "gave 2 as its flag"),
        ("terminated", [True, False], "as its flag 'terminated'"),
        ("info", None, "gave None as its info, which must be a dictionary"),
        ("observation", None, r"gave None as its observation, which must be numbers of the shape \(3,\)"),
        ("observation", np.zeros(2), r"must be numbers of the shape \(3,\)"),
        ("observation", np.zeros((1, 3)), r"must be numbers of the shape \(3,\)"),
        ("observation", ["a", "b", "c"], "as its observation"),
        ("observation", [1, np.inf, 2], "NaN or infinite"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    stage: Callable[[], list[float]], name: str, answer: Any, message: str
) -> None:
    SHOWN[name] = answer
    with pytest.raises(UserError, match=message) as error:
        stage()
    assert "\n" not in str(error.value) and len(str(error.value)) < 200


@STAGES
def test_the_first_observation_is_looked_at_too(stage: Callable[[], list[float]]) -> None:
    SHOWN["first"] = None
    with pytest.raises(UserError, match="gave None as its observation"):
        stage()


@STAGES
def test_a_space_of_integers_takes_whole_numbers_of_its_range(stage: Callable[..., list[float]]) -> None:
    SHOWN.update(observation=[1, 2.0, 255])
    assert stage("test/Plain-v0") == [5.0, 5.0]
    for wrong in ([0.5, 1, 2], [1, 2, 300]):
        SHOWN["observation"] = wrong
        with pytest.raises(UserError, match="must be numbers of the type uint8"):
            stage("test/Plain-v0")


@STAGES
@pytest.mark.parametrize("infos", [{"a": np.zeros(2)}, {"a": None, "b": {"c": "text"}}, {"success": np.array([True])}])
def test_infos_may_change_from_step_to_step(stage: Callable[[], list[float]], infos: dict[str, Any]) -> None:
    SHOWN["info"] = infos
    assert len(stage()) == 2


@STAGES
def test_a_reset_is_the_same_call_everywhere(stage: Callable[[], list[float]]) -> None:
    """Without options, or an environment that needs some of its own would fail in one of the two only."""
    stage()
    assert set(Odd.seen) == {None}


def test_the_options_of_a_caller_reach_the_environment() -> None:
    make("test/Odd-v0").reset(seed=0, options={"goal": 3})
    assert Odd.seen == [{"goal": 3}]


@pytest.mark.parametrize(("answer", "given"), [((np.zeros(3), 0.0, True, {}), "4 of them"), (None, "NoneType")])
def test_an_answer_of_another_interface_is_named(answer: Any, given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    env = Answers(Odd())
    monkeypatch.setattr(Odd, "step", lambda *_: answer)
    with pytest.raises(UserError, match=rf"must answer with \(observation, reward, .* not with {given}$"):
        env.step(np.zeros(2))


def test_what_an_environment_raises_becomes_one_line() -> None:
    with pytest.raises(UserError, match=r"^the environment raised KeyError: 'a b'$"), failures():
        raise KeyError("a b")
    with pytest.raises(KeyboardInterrupt), failures():
        raise KeyboardInterrupt
    with pytest.raises(UserError, match=r"^as it is$"), failures():
        raise UserError("as it is")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
def test_what_no_learner_can_use_is_refused(bad: float) -> None:
    check_finite(np.zeros(3), 0.0, 2)
    with pytest.raises(UserError, match="NaN or infinite"):
        check_finite(np.zeros(3), bad)
    with pytest.raises(UserError, match="NaN or infinite"):
        check_finite(np.array([[0, 1], [2, bad]]), 0.0)


def test_a_run_is_saved_up_to_an_answer_that_cannot_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    SHOWN.update(reward=None, after=12)  # 5 steps of the first evaluation, and 7 of training
    with pytest.raises(SystemExit):
        main(flags(env="test/Odd-v0", run_dir=tmp_path / "run"))
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "which must be one number; the run up to step 7 is saved, to go on: " in error
    SHOWN.clear()
    main(["--resume", str(tmp_path / "run")])
    assert (tmp_path / "run/agent/model.safetensors").is_file()
