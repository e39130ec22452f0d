"""Laws of a comparison, on runs whose numbers can be computed by hand."""

import json
from pathlib import Path

import pytest

from diffsr_hub.errors import UserError
from diffsr_hub.studies.comparison import Arm, Comparison, compare
from diffsr_hub.studies.recorded_runs import read_runs
from diffsr_hub.studies.statistics import Estimate, Ratio
from tests.diffsr_hub.studies.runs import record_run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Scratch ends at 20 and 40, frozen gets there twice as fast, and random never."""
    record_run(tmp_path / "s0", [0, 10, 20], seed=0)
    record_run(tmp_path / "s1", [0, 30, 40], seed=1)
    record_run(tmp_path / "f0", [0, 30, 50], arm="frozen", seed=0)
    record_run(tmp_path / "f1", [0, 30, 10], arm="frozen", seed=1)
    record_run(tmp_path / "r0", [0, 1, 2], arm="random")
    return tmp_path


def arms(comparison: Comparison, task: int = 0) -> dict[str, Arm]:
    return {arm.name: arm for arm in comparison.tasks[task].arms}


def test_seeds_are_summarised_by_arm_and_the_reference_is_first(folder: Path) -> None:
    comparison = compare(read_runs([folder]))
    (task,) = comparison.tasks
    assert (task.env, task.reference, task.threshold) == ("Hopper-v5", "scratch", 30.0)
    assert [arm.name for arm in task.arms] == ["scratch", "frozen", "random"]
    scratch = task.arms[0]
    assert scratch.seeds == (0, 1)
    assert scratch.final == Estimate(30.0, 20.0, 40.0)
    assert scratch.area == Estimate((10 + 25) / 2, 10.0, 25.0)
    assert scratch.seconds == Estimate(10.0, 10.0, 10.0)
    assert scratch.curve.steps == (0, 10, 20)
    assert scratch.curve.centre.tolist() == [0, 20, 30]


def test_steps_to_the_references_final_return(folder: Path) -> None:
    found = arms(compare(read_runs([folder])))
    waits = {name: arm.to_threshold for name, arm in found.items()}
    assert all(wait is not None for wait in waits.values())
    assert {name: f"{wait:.0f}, {wait.reached} of {wait.runs}" for name, wait in waits.items() if wait} == {
        "scratch": "> 15, 1 of 2",  # at 10, and not until 20
        "frozen": "10, 2 of 2",
        "random": "> 20, 0 of 1",
    }
    assert {name: arm.ratio for name, arm in found.items()} == {
        "scratch": None,
        "frozen": Ratio(10 / 15, "<"),
        "random": None,
    }
    assert {name: arm.curve_to_threshold for name, arm in found.items()} == {
        "scratch": 20,
        "frozen": 10,
        "random": None,
    }


def test_a_threshold_and_a_reference_can_be_given(folder: Path) -> None:
    comparison = compare(read_runs([folder]), reference="frozen", threshold=10.0)
    assert comparison.tasks[0].arms[0].name == "frozen"
    assert arms(comparison)["scratch"].ratio == Ratio(1.0)
    assert arms(comparison)["random"].ratio == Ratio(2.0, ">")


def test_only_the_named_arms_are_compared_in_their_order(folder: Path) -> None:
    record_run(folder / "other", [0, 1, 2], env="Walker2d-v5", arm="sac")
    comparison = compare(read_runs([folder]), arms=["random", "scratch"], reference="random")
    (task,) = comparison.tasks
    assert (task.env, [arm.name for arm in task.arms]) == ("Hopper-v5", ["random", "scratch"])
    with pytest.raises(UserError, match=r"unknown arm 'frosen', valid: .*did you mean frozen\?"):
        compare(read_runs([folder]), arms=["scratch", "frosen"])
    with pytest.raises(UserError, match="the reference frozen must be one of the arms that are compared: random"):
        compare(read_runs([folder]), arms=["random"], reference="frozen")


def test_without_a_reference_there_is_no_threshold(folder: Path) -> None:
    comparison = compare([run for run in read_runs([folder]) if run.arm != "scratch"])
    assert (comparison.tasks[0].threshold, comparison.tasks[0].reference) == (None, None)
    assert arms(comparison)["frozen"].to_threshold is None


def test_every_task_has_its_own_threshold(folder: Path) -> None:
    record_run(folder / "w", [0, 5, 6], env="Walker2d-v5")
    record_run(folder / "x", [0, 5, 7], env="Swimmer-v5", arm="frozen")
    comparison = compare(read_runs([folder]))
    assert {task.env: task.threshold for task in comparison.tasks} == {
        "Hopper-v5": 30.0,
        "Swimmer-v5": None,
        "Walker2d-v5": 6.0,
    }


def test_one_seed_has_no_interval(folder: Path) -> None:
    random = arms(compare(read_runs([folder])))["random"]
    assert random.final == Estimate(2.0, None, None)
    assert random.curve.low is None


def test_unfinished_runs_are_compared_where_all_seeds_have_been(folder: Path) -> None:
    record_run(folder / "f2", [0, 60], arm="frozen", seed=2)
    frozen = arms(compare(read_runs([folder])))["frozen"]
    assert frozen.curve.steps == (0, 10)
    assert frozen.last_steps == (20, 20, 10)
    assert frozen.final.centre == (30 + 30 + 60) / 3
    assert frozen.to_threshold is not None
    assert frozen.to_threshold.reached == 3


def test_success_can_be_compared_instead(tmp_path: Path) -> None:
    record_run(tmp_path / "a", [0, 0, 0], success_rate=[0.0, 0.6, 1.0])
    (arm,) = compare(read_runs([tmp_path]), measure="success_rate", threshold=0.5).tasks[0].arms
    assert arm.final == Estimate(1.0)
    assert arm.curve_to_threshold == 10


def test_the_summary_is_json(folder: Path) -> None:
    summary = compare(read_runs([folder])).summary()
    arm = json.loads(json.dumps(summary, allow_nan=False))["tasks"][0]["arms"][1]
    assert (arm["name"], arm["ratio"]) == ("frozen", {"value": 10 / 15, "sign": "<"})
    assert arm["curve"]["centre"] == [0, 30, 30]


def test_mistakes_say_what_would_be_right(folder: Path) -> None:
    runs = read_runs([folder])
    with pytest.raises(UserError, match=r"unknown arm for a reference 'scrach', valid: .*did you mean scratch"):
        compare(runs, reference="scrach")
    with pytest.raises(UserError, match=r"unknown measure of .* 'success_rate', valid: mean_return"):
        compare(runs, measure="success_rate")


def test_seeds_without_a_common_evaluation_are_an_error(tmp_path: Path) -> None:
    record_run(tmp_path / "a", [0, 0], seed=0)
    runs = read_runs([tmp_path])
    later = type(runs[0])(**{**vars(runs[0]), "seed": 1, "steps": (3, 7)})
    with pytest.raises(UserError, match="the seeds of scratch in Hopper-v5 have no step in common"):
        compare([*runs, later])
