"""Raw results are one file a study: sorted, replaced run by run, with every number; everything else is made from it."""

import json
import shutil
from pathlib import Path

import pytest

from benchmarks.program import ROOT
from benchmarks.studies.results import Results, draw_matrix, recorded, runs_beside, write_saved
from diffsr_hub.files.json_lines import Record
from diffsr_hub.studies.comparison import compare
from tests.diffsr_hub.studies.runs import record_run


def record(env: str, arm: str, success: float = 0.0, seed: int = 0) -> Record:
    rows = [{"step": s, "seconds": s, "mean_return": 0.0, "success_rate": success * s} for s in (0, 1)]
    return {"arm": arm, "env": env, "seed": seed, "evaluations": rows}


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results("study", tmp_path)


def test_results_are_sorted_and_replaced_run_by_run(results: Results) -> None:
    assert results.records() == []
    results.add([record("B-v0", "x"), record("A-v0", "x", seed=10), record("A-v0", "x", seed=2)])
    results.add([record("A-v0", "x", seed=2, success=0.5), record("A-v0", "a")])
    found = [(each["env"], each["arm"], each["seed"]) for each in results.records()]
    assert found == [("A-v0", "a", 0), ("A-v0", "x", 2), ("A-v0", "x", 10), ("B-v0", "x", 0)]
    assert results.records()[1] == record("A-v0", "x", seed=2, success=0.5)
    before = results.file.read_bytes()
    results.add(reversed(results.records()))
    assert results.file.read_bytes() == before


def test_what_is_kept_of_a_run_is_its_evaluations_and_what_belongs_to_them(tmp_path: Path, results: Results) -> None:
    folder = record_run(tmp_path / "runs/task/arm/seed-0", [1.0, 2.5])
    shutil.copytree(folder, folder / "agent")
    (folder / "official.json").write_text('{"success_rate": 0.5}')
    record_run(tmp_path / "runs/task/arm/seed-1", [1.0], seed=1)
    with pytest.raises(KeyboardInterrupt), results.keeping(tmp_path / "runs", {"official": "official.json"}):
        raise KeyboardInterrupt
    first, second = results.records()
    content = json.loads((folder / "evaluation.json").read_text())
    assert first == content | {"official": {"success_rate": 0.5}}
    assert second == next(each for each in recorded(tmp_path / "runs", {}) if each["seed"] == 1)
    assert [run.seed for run in results.runs()] == [0, 1]


def test_without_a_run_nothing_is_kept(tmp_path: Path, results: Results) -> None:
    with results.keeping(tmp_path / "runs"):
        pass
    assert not results.file.exists()


def test_a_part_has_the_tasks_of_its_arm_and_the_arms_that_were_run(results: Results) -> None:
    pairs = (("A", "scratch"), ("A", "frozen"), ("B", "scratch"), ("B", "demonstrations"))
    results.add([record(*pair) for pair in pairs])
    runs = results.runs()
    assert runs_beside("frozen", ["scratch", "random", "frozen"], runs) == (["A"], ["scratch", "frozen"])
    assert runs_beside("scratch", ["demonstrations", "scratch"], runs) == (["A", "B"], ["demonstrations", "scratch"])
    assert runs_beside("own", ["own", "frozen"], runs) == ([], [])


def test_the_matrix_comes_with_the_first_arm_beside_scratch_and_has_the_tasks_with_scratch(results: Results) -> None:
    results.add([record("A-v0", "scratch", 0.5), record("A-v0", "sac", 1.0), record("B-v0", "frozen", 1.0)])
    draw_matrix(["scratch", "frozen", "other"], results)
    assert not results.shown.exists()  # SAC is none of the rows, and B has no run from scratch
    results.add([record("A-v0", "frozen", 0.75)])
    draw_matrix(["scratch", "frozen", "other"], results)
    matrix = json.loads((results.shown / "matrix.json").read_text())
    assert matrix["arms"] == ["frozen"] and len(matrix["columns"]) == 1
    assert matrix["columns"][0]["cells"][0]["gain"]["centre"] == pytest.approx(12.5)
    assert matrix["command"] == (
        "diffsr matrix results/study.jsonl --tasks A-v0 --arms frozen --out docs/generated/study"
    )
    draw_matrix(["frozen", "scratch"], results, reference="sac")
    matrix = json.loads((results.shown / "sac/matrix.json").read_text())
    assert matrix["arms"] == ["frozen", "scratch"] and "--reference sac" in matrix["command"]
    assert [cell["gain"]["centre"] for cell in matrix["columns"][0]["cells"]] == pytest.approx([-12.5, -25.0])


def test_a_card_is_written_where_there_is_one_and_something_to_tell(results: Results) -> None:
    results.add([record("A-v0", "scratch", 0.5), record("A-v0", "frozen", 1.0)])
    tasks = compare(results.runs(), measure="success_rate", threshold=0.5).tasks
    about = {
        "command": "c",
        "source": "s",
        "arms": {"scratch": "x"},
        "total_steps": 1,
        "measure": "m",
        "threshold": 0.5,
    }
    write_saved(results.cards / "hopper", about, tasks)
    assert not results.cards.exists()
    shutil.copytree(ROOT / "model_cards" / "hopper", results.cards / "hopper")
    before = (results.cards / "hopper" / "README.md").read_text()
    write_saved(results.cards / "hopper", about, ())
    assert (results.cards / "hopper" / "README.md").read_text() == before
    write_saved(results.cards / "hopper", about, tasks)
    assert [row["arm"] for row in json.loads((results.cards / "hopper/transfer.json").read_text())["rows"]] == [
        "scratch"
    ]
    assert "A-v0" in (results.cards / "hopper" / "README.md").read_text()
