import json
from pathlib import Path

import pytest

from diffsr_hub.files.json_lines import read_json_lines
from diffsr_hub.studies.matrix_verb import main
from tests.diffsr_hub.studies.runs import record_run

KEPT = Path(__file__).parents[3] / "results" / "transfer.jsonl"


def test_it_leaves_table_json_and_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record_run(tmp_path / "runs" / "a", [0, 10])
    record_run(tmp_path / "runs" / "b", [0, 20], arm="frozen")
    out = tmp_path / "new" / "out"
    arguments = [str(tmp_path / "runs"), "--out", str(out), "--value", "final", "--arms", "frozen"]
    main(arguments)
    assert sorted(file.name for file in out.iterdir()) == ["matrix.json", "matrix.md", "matrix.png"]
    assert (out / "matrix.md").read_text() in capsys.readouterr().out
    written = json.loads((out / "matrix.json").read_text())
    assert written["command"] == f"diffsr matrix {' '.join(arguments)}"
    assert written["columns"][0]["cells"][0]["gain"] == {"centre": 1.0, "low": None, "high": None}


def test_the_kept_results_of_the_study_make_a_matrix(tmp_path: Path) -> None:
    main([str(KEPT), "--out", str(tmp_path)])
    written = json.loads((tmp_path / "matrix.json").read_text())
    assert "frozen" in written["arms"]
    assert "scratch" not in written["arms"]
    kept = {record["env"] for record in read_json_lines(KEPT)}
    assert {column["env"] for column in written["columns"]} == kept
    assert (tmp_path / "matrix.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: RUNS (see diffsr matrix --help)"),
        (["nowhere"], "nowhere is no run folder and holds none: there is no evaluation.json in it"),
        (["x", "--arms", ","], "arms is empty; give at least one"),
        (["x", "--arms", "a,a"], "arms names a twice"),
        (
            ["x", "--value", "last"],
            "argument --value: invalid choice: 'last' (choose from 'over_run', 'final') (see diffsr matrix --help)",
        ),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert capsys.readouterr().err == f"error: {message}\n"
