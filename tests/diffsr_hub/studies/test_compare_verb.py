import json
from pathlib import Path

import pytest

from diffsr_hub.studies.compare_verb import main
from tests.diffsr_hub.studies.runs import record_run


def test_it_leaves_table_json_and_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record_run(tmp_path / "runs" / "a", [0, 10])
    record_run(tmp_path / "runs" / "b", [0, 20], arm="frozen")
    out = tmp_path / "new" / "out"
    main([str(tmp_path / "runs" / "a"), str(tmp_path / "runs" / "b"), "--out", str(out)])
    assert sorted(file.name for file in out.iterdir()) == ["comparison.json", "comparison.md", "comparison.png"]
    assert (out / "comparison.md").read_text() in capsys.readouterr().out
    assert json.loads((out / "comparison.json").read_text())["tasks"][0]["threshold"] == 10
    main([str(tmp_path / "runs"), "--arms", "frozen", "--out", str(out)])
    assert [arm["name"] for arm in json.loads((out / "comparison.json").read_text())["tasks"][0]["arms"]] == ["frozen"]


def test_success_rates_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (0, 1):
        rates = {"success_rate": [0.0, 0.5, 1.0]}
        record_run(tmp_path / "runs" / str(seed), [1.0, 2.0, 3.0], env="metaworld/reach-v3", seed=seed, **rates)
    out = ["--out", str(tmp_path / "out")]
    main([str(tmp_path / "runs"), "--measure", "success_rate", "--threshold", "0.5", *out])
    printed = capsys.readouterr().out
    assert "metaworld/reach-v3" in printed and "| scratch | 2 | 20 | 1 | 0.5 | 10 | 2 of 2 |" in printed


def test_in_a_folder_of_many_tasks_those_are_compared_that_know_the_measure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rates = {"success_rate": [0.0, 1.0]}
    record_run(tmp_path / "runs" / "a", [0, 10])
    record_run(tmp_path / "runs" / "b", [0, 10], env="metaworld/reach-v3", **rates)
    record_run(tmp_path / "runs" / "c", [0, 10], env="Odd-v0", success_rate=[None, None])  # type: ignore[list-item]
    runs, out = str(tmp_path / "runs"), ["--out", str(tmp_path / "out")]
    main([runs, *out])
    printed = capsys.readouterr().out
    assert all(f"**{env}**" in printed for env in ("Hopper-v5", "Odd-v0", "metaworld/reach-v3"))
    main([runs, "--measure", "success_rate", *out])
    printed = capsys.readouterr().out
    assert printed.startswith("left out, as no run there has a success rate: Hopper-v5, Odd-v0\n")
    assert "**metaworld/reach-v3**" in printed and "**Hopper-v5**" not in printed
    main([runs, "--tasks", "metaworld/reach-v3", "--measure", "success_rate", *out])
    assert "left out" not in capsys.readouterr().out


def test_where_some_runs_of_a_task_know_the_measure_the_others_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record_run(tmp_path / "a", [0, 10], success_rate=[0.0, 1.0])
    record_run(tmp_path / "b", [0, 10], seed=1)
    with pytest.raises(SystemExit):
        main([str(tmp_path), "--measure", "success_rate", "--out", str(tmp_path / "out")])
    assert capsys.readouterr().err == (f"error: unknown measure of {tmp_path}/b 'success_rate', valid: mean_return\n")


@pytest.mark.parametrize("threshold", ["nan", "inf", "-inf"])
def test_a_threshold_is_a_finite_number(threshold: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record_run(tmp_path / "run", [0, 10])
    with pytest.raises(SystemExit) as end:
        main([str(tmp_path / "run"), f"--threshold={threshold}", "--out", str(tmp_path / "out")])
    assert end.value.code == 2
    assert capsys.readouterr().err == f"error: threshold must be a finite number, got {threshold}\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: RUNS (see diffsr compare --help)"),
        (["nowhere"], "nowhere is no run folder and holds none: there is no evaluation.json in it"),
        (["x", "--threshold", "high"], "argument --threshold: invalid float value: 'high' (see diffsr compare --help)"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert capsys.readouterr().err == f"error: {message}\n"
