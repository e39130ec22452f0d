"""Laws of a transfer matrix, on runs whose numbers can be computed by hand."""

import json
from pathlib import Path
from random import Random

import pytest

from diffsr_hub.errors import UserError
from diffsr_hub.studies.matrix import Cell, Matrix, matrix
from diffsr_hub.studies.recorded_runs import read_runs
from diffsr_hub.studies.statistics import Estimate
from tests.diffsr_hub.studies.runs import record_run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Scratch goes from 0 to 20 and 40 in Hopper; in Walker2d it learns nothing; in Swimmer it was not run."""
    record_run(tmp_path / "s0", [0, 10, 20], seed=0)
    record_run(tmp_path / "s1", [0, 30, 40], seed=1)
    record_run(tmp_path / "f0", [0, 40, 50], arm="frozen", seed=0)
    record_run(tmp_path / "f1", [0, 60, 70], arm="frozen", seed=1)
    record_run(tmp_path / "r0", [0, 1, 2], arm="random")
    record_run(tmp_path / "w0", [5, 5, 5], env="Walker2d-v5")
    record_run(tmp_path / "w1", [5, 6, 7], env="Walker2d-v5", arm="frozen")
    record_run(tmp_path / "x1", [5, 6, 7], env="Swimmer-v5", arm="frozen")
    return tmp_path


def cell(found: Matrix, arm: str, env: str = "Hopper-v5") -> Cell:
    (column,) = [column for column in found.columns if column.env == env]
    return column.cells[found.arms.index(arm)]


def test_a_gain_is_a_difference_in_units_of_what_scratch_learned(folder: Path) -> None:
    found = matrix(read_runs([folder]), value="final")
    assert found.arms == ("frozen", "random")
    assert [column.env for column in found.columns] == ["Hopper-v5", "Swimmer-v5", "Walker2d-v5"]
    hopper = found.columns[0]
    assert (hopper.learned, hopper.reference, hopper.unit) == (Estimate(30.0, 20.0, 40.0), hopper.learned, 30.0)
    frozen = cell(found, "frozen")
    assert frozen.difference == Estimate(30.0, 10.0, 50.0)  # of 60 and 30; bounds 50 - 40 and 70 - 20
    assert frozen.gain == Estimate(1.0, 10 / 30, 50 / 30)
    assert (frozen.seeds, frozen.reference_seeds, frozen.steps, frozen.missing) == ((0, 1), (0, 1), 20, None)


def test_over_the_run_it_is_that_of_the_areas(folder: Path) -> None:
    """Areas: scratch 10 and 25, frozen (20 + 45) / 2 and (30 + 65) / 2."""
    frozen = cell(matrix(read_runs([folder])), "frozen")
    assert frozen.difference == Estimate(40 - 17.5, 32.5 - 25, 47.5 - 10)
    assert frozen.gain is not None
    assert frozen.gain.centre == 22.5 / 30


def test_one_seed_has_a_gain_and_no_interval(folder: Path) -> None:
    assert cell(matrix(read_runs([folder]), value="final"), "random").gain == Estimate(-28 / 30)


def test_what_has_no_gain_says_why(folder: Path) -> None:
    found = matrix(read_runs([folder]))
    assert cell(found, "random", "Swimmer-v5").missing == "not run"
    assert cell(found, "frozen", "Swimmer-v5").missing == "no run of scratch"
    nothing = cell(found, "frozen", "Walker2d-v5")
    assert (nothing.missing, nothing.gain, nothing.difference) == ("scratch did not learn", None, Estimate(1.0))


def test_seeds_and_values_go_together_and_runs_without_a_common_step_have_no_gain(folder: Path) -> None:
    record_run(folder / "o1", [0, 30, 30], arm="other", seed=1)
    record_run(folder / "o0", [0, 60, 60], arm="other", seed=0)
    late_file = record_run(folder / "l0", [1, 2], arm="late") / "evaluation.json"
    late_file.write_text(late_file.read_text().replace('"step": 0', '"step": 7').replace('"step": 10', '"step": 17'))
    found = matrix(read_runs([folder]), value="final")
    assert (cell(found, "other").seeds, cell(found, "other").values) == ((0, 1), (2.0, 1.0))
    late = cell(found, "late")
    assert (late.missing, late.gain, late.values) == ("no step in common", None, ())


def test_what_scratch_may_not_have_learned_is_no_unit(folder: Path) -> None:
    record_run(folder / "w2", [5, 5, 9], env="Walker2d-v5", seed=1)  # the interval of 0 and 4 begins at 0
    assert cell(matrix(read_runs([folder])), "frozen", "Walker2d-v5").gain is None


def test_scratch_gains_nothing_over_itself(folder: Path) -> None:
    itself = cell(matrix(read_runs([folder]), arms=["scratch"]), "scratch").gain
    assert itself is not None
    assert itself.centre == 0
    assert itself.low == -(itself.high or 0.0) < 0


def test_success_rates_are_compared_in_points_where_there_are_any(folder: Path) -> None:
    for arm, rates in {"scratch": [0.0, 0.0], "frozen": [0.0, 0.6]}.items():
        record_run(folder / f"m-{arm}", [0, 9], arm=arm, env="metaworld/reach-v3", success_rate=rates)
    found = matrix(read_runs([folder]), value="final")
    assert [column.measure for column in found.columns] == ["mean_return"] * 3 + ["success_rate"]
    assert cell(found, "frozen", "metaworld/reach-v3").gain == Estimate(60.0)
    forced = matrix(read_runs([folder]), value="final", measure="mean_return")
    assert cell(forced, "frozen", "metaworld/reach-v3").gain == Estimate(0.0)


def test_the_mean_is_over_tasks_with_two_seeds_of_both_and_of_one_measure(folder: Path) -> None:
    assert matrix(read_runs([folder])).means == (None, None)  # in Hopper alone is there an interval
    for seed in (0, 1):
        for arm, last in (("scratch", 10), ("frozen", 30)):
            record_run(folder / f"h{arm}{seed}", [0, last], env="HalfCheetah-v5", arm=arm, seed=seed)
    runs = read_runs([folder])
    found = matrix(runs, value="final")
    frozen, random = found.means
    assert frozen is not None and random is None
    assert frozen.tasks == ("HalfCheetah-v5", "Hopper-v5")
    assert frozen.gain == Estimate((2 + 1) / 2, (2 + 10 / 30) / 2, (2 + 50 / 30) / 2)
    assert "stratified" in found.definition
    for seed in (0, 1):
        for arm in ("scratch", "frozen"):
            record_run(folder / f"m{arm}{seed}", [0, 1], env="A-v0", arm=arm, seed=seed, success_rate=[0.0, 1.0])
    assert matrix(read_runs([folder])).means == (None, None)  # points and returns have no mean


def test_the_order_of_runs_does_not_matter(folder: Path) -> None:
    runs = read_runs([folder])
    assert matrix(Random(0).sample(runs, len(runs))) == matrix(runs)


@pytest.mark.parametrize("value", ["over_run", "final"])
def test_gains_do_not_depend_on_the_scale_of_the_returns(folder: Path, value: str) -> None:
    for number, seed in enumerate((0, 1, 0, 1)):
        for scale, shift in ((1.0, 0.0), (7.0, -300.0)):
            returns = [scale * x + shift for x in ([1.0, 4, 9 + 2 * seed], [2.0, 8, 5 - seed])[number // 2]]
            arm = ("scratch", "frozen")[number // 2]
            record_run(folder / f"{scale}-{number}", returns, arm=arm, env=f"Scaled{scale}", seed=seed)
    found = matrix(read_runs([folder]), value=value)  # type: ignore[arg-type]
    plain, scaled = (cell(found, "frozen", env).gain for env in ("Scaled1.0", "Scaled7.0"))
    assert plain is not None
    assert scaled is not None
    assert (scaled.centre, scaled.low, scaled.high) == pytest.approx((plain.centre, plain.low, plain.high))


def test_unfinished_runs_are_held_against_what_scratch_had_come_to_then(folder: Path) -> None:
    record_run(folder / "u", [0, 50], arm="unfinished")
    unfinished = cell(matrix(read_runs([folder]), value="final"), "unfinished")
    assert (unfinished.steps, unfinished.difference) == (10, Estimate(50.0 - 20))
    assert unfinished.gain == Estimate(1.0)  # still in units of the whole run of scratch


def test_rows_and_reference_can_be_chosen(folder: Path) -> None:
    found = matrix(read_runs([folder]), arms=["scratch", "random"], reference="frozen", value="final")
    assert (found.arms, found.reference) == (("scratch", "random"), "frozen")
    assert cell(found, "scratch").gain == Estimate(-0.5, -50 / 60, -10 / 60)
    assert [column.env for column in matrix(read_runs([folder]), arms=["random"]).columns] == ["Hopper-v5"]


def test_a_cell_tells_the_encoders_that_its_runs_noted(folder: Path) -> None:
    for seed in (0, 1):
        noted = {"encoder": {"source": f"encoders/{seed}", "revision": None, "sha256": "0"}, "datasets": []}
        (folder / f"f{seed}" / "sources.json").write_text(json.dumps(noted))
    found = matrix(read_runs([folder]))
    assert cell(found, "frozen").encoders == ("encoders/0", "encoders/1")
    assert cell(found, "random").encoders == ()


def test_the_summary_is_json_and_says_what_it_means(folder: Path) -> None:
    summary = matrix(read_runs([folder])).summary()
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert summary["definition"].startswith("Gain over scratch: ")
    assert summary["columns"][0]["cells"][0]["seeds"] == [0, 1]


def test_mistakes_say_what_would_be_right(folder: Path) -> None:
    runs = read_runs([folder])
    with pytest.raises(UserError, match=r"unknown arm 'frosen', valid: .*; did you mean frozen\?"):
        matrix(runs, arms=["frosen"])
    with pytest.raises(UserError, match=r"unknown arm for a reference 'rndom', valid: .*; did you mean random\?"):
        matrix(runs, reference="rndom")
    with pytest.raises(UserError, match=r"unknown measure of .* 'success_rate', valid: mean_return"):
        matrix(runs, measure="success_rate")
    with pytest.raises(UserError, match=r"none of these runs is of scratch, .* another --reference \(frozen, random\)"):
        matrix([run for run in runs if run.arm != "scratch"])
    with pytest.raises(UserError, match="all of these runs are of scratch: there is nothing to hold against it"):
        matrix([run for run in runs if run.arm == "scratch"])
