import json
from pathlib import Path

import pytest

from finetune.acting.evaluate_verb import main, summary
from finetune.acting.evaluation import Evaluation, evaluate
from finetune.agent.agent import Agent
from tests.conftest import SMALL


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    sizes = {"obs_dim": 11, "action_dim": 3, **SMALL}
    agent = Agent(sizes, "Hopper-v5", [-1] * 3, [1] * 3, actor_hidden=(4,), critic_frequencies=4)
    agent.save_pretrained(tmp_path / "agent")
    return agent


def test_it_runs_the_episodes_of_the_agents_own_environment(
    agent: Agent, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "out.json"
    main([str(tmp_path / "agent"), "--episodes", "3", "--seed", "5", "--file", str(file)])
    expected = evaluate(agent, "Hopper-v5", 3, 5)
    about = {"agent": str(tmp_path / "agent"), "env": "Hopper-v5", "seed": 5}
    assert json.loads(file.read_text()) == {**about, **expected.summary()}
    assert capsys.readouterr().out == summary("Hopper-v5", expected) + "\n"


def test_the_summary_of_episodes() -> None:
    found = summary("X-v0", Evaluation((1.0, 3.0), (10, 20), (True, False)))
    assert found.splitlines() == [
        "environment         X-v0",
        "episodes            2",
        "return, mean ± std  2.0 ± 1.0",
        "return, IQM [95 %]  2.0 [1.0, 3.0]",
        "steps, mean         15.0",
        "success rate        50.0%",
    ]
    assert "success" not in summary("X-v0", Evaluation((1.0,), (10,)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: FOLDER|org/name (see diffsr evaluate --help)"),
        (["AGENT", "--env", "HalfCheetah-v5"], "its observation_space has 17 numbers, and the model's obs_dim is 11"),
        (["AGENT", "--env", "Hoper-v5"], "cannot make the environment 'Hoper-v5'"),
        (["AGENT", "--episodes", "0"], "episodes must be at least 1, got 0"),
        (["AGENT", "--file", "AGENT"], "/agent is a folder; name a file, such as "),
        (["AGENT", "--file", "AGENT/no/out.json"], "/agent/no is no folder; make it, or name another --file"),
        (["AGENT/nothing"], "/agent/nothing in the folder "),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], message: str, agent: Agent, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And known before the episodes: there is no output."""
    with pytest.raises(SystemExit) as end:
        main([argument.replace("AGENT", str(tmp_path / "agent")) for argument in arguments])
    out, error = capsys.readouterr()
    assert end.value.code == 2
    assert message in error
    assert error.count("\n") == 1
    assert out == ""


def test_an_environment_with_other_bounds_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {"obs_dim": 11, "action_dim": 3, **SMALL}
    Agent(sizes, "Hopper-v5", [-2] * 3, [2] * 3, actor_hidden=(4,)).save_pretrained(tmp_path)
    with pytest.raises(SystemExit):
        main([str(tmp_path), "--episodes", "1"])
    assert "and the model's are a Box from [-2, -2, -2] to [2, 2, 2]" in capsys.readouterr().err
