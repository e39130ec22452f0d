"""A measure is one entry: everything that is shown of it comes from there."""

from dataclasses import replace
from pathlib import Path

import pytest

from diffsr_hub.errors import UserError
from diffsr_hub.studies import comparison_picture, comparison_table, matrix_picture, matrix_table
from diffsr_hub.studies.comparison import compare
from diffsr_hub.studies.matrix import matrix
from diffsr_hub.studies.measure import MEASURES, RETURN, SUCCESS, measure_named
from diffsr_hub.studies.recorded_runs import Run, read_runs
from diffsr_hub.studies.statistics import Estimate
from tests.diffsr_hub.studies.runs import record_run

COST = replace(RETURN, name="mean_cost", title="cost", plural="costs", column="cost", direction=-1)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """Scratch brings its cost from 10 down to 8 and 4; frozen to 2 and 1."""
    monkeypatch.setitem(MEASURES, COST.name, COST)
    record_run(tmp_path / "s0", [0, 0], seed=0, mean_cost=[10.0, 8.0])
    record_run(tmp_path / "s1", [0, 0], seed=1, mean_cost=[10.0, 4.0])
    record_run(tmp_path / "f0", [0, 0], seed=0, arm="frozen", mean_cost=[10.0, 2.0])
    record_run(tmp_path / "f1", [0, 0], seed=1, arm="frozen", mean_cost=[10.0, 1.0])
    return read_runs([tmp_path])


def test_a_new_measure_is_read_compared_and_shown(runs: list[Run], tmp_path: Path) -> None:
    assert runs[0].measures["mean_cost"] == (10.0, 2.0)
    comparison, gains = compare(runs, measure="mean_cost"), matrix(runs, measure="mean_cost", value="final")
    assert "| final cost | cost over the run | steps to 6 |" in comparison_table.table(comparison)
    assert "at or below the threshold" in comparison_table.table(comparison)
    assert (
        "an arm's final cost, less" in gains.definition and "for costs what scratch learned there" in gains.definition
    )
    assert "| frozen | **+1.12 [" in matrix_table.table(gains)
    comparison_picture.draw(comparison, tmp_path / "comparison.svg")
    matrix_picture.draw(gains, tmp_path / "matrix.svg")
    assert "final cost (1: what scratch learned in the task)" in (tmp_path / "matrix.svg").read_text()


def test_where_less_is_better_thresholds_are_reached_from_above_and_gains_are_positive(runs: list[Run]) -> None:
    scratch, frozen = compare(runs, measure="mean_cost").tasks[0].arms
    assert scratch.to_threshold is not None and frozen.to_threshold is not None
    assert (scratch.final, scratch.to_threshold.reached, frozen.to_threshold.reached) == (Estimate(6.0, 4.0, 8.0), 1, 2)
    (column,) = matrix(runs, measure="mean_cost", value="final").columns
    assert column.learned == Estimate(4.0, 2.0, 6.0)
    assert column.cells[0].difference == Estimate(4.5, 2.0, 7.0)


def test_the_words_of_the_measures() -> None:
    assert [measure.value_title("final") for measure in (RETURN, SUCCESS)] == ["final return", "final success rate"]
    assert SUCCESS.definition_of_gain_unit("scratch") == "for success rates a percentage point"
    assert RETURN.title_of_gain_unit("scratch") == "1: what scratch learned in the task"
    assert all(measure.name == name for name, measure in MEASURES.items())


def test_an_unknown_measure_is_one_line() -> None:
    with pytest.raises(UserError, match=r"unknown measure 'sucess_rate', .*did you mean success_rate\?"):
        measure_named("sucess_rate")
    for call in (compare, matrix):
        with pytest.raises(UserError, match="unknown measure 'x', valid: mean_return, success_rate"):
            call([], measure="x")
