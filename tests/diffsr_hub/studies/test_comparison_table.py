from pathlib import Path

import pytest

from diffsr_hub.studies.comparison import compare
from diffsr_hub.studies.comparison_table import table
from diffsr_hub.studies.recorded_runs import read_runs
from tests.diffsr_hub.studies.runs import record_run


def lines(folder: Path, **options: float | str) -> list[str]:
    return table(compare(read_runs([folder]), **options)).splitlines()  # type: ignore[arg-type]


def test_every_arm_is_a_line_of_numbers(tmp_path: Path) -> None:
    record_run(tmp_path / "s0", [0, 1000, 2000], seed=0, every=6000)
    record_run(tmp_path / "s1", [0, 3000, 4000], seed=1, every=6000)
    record_run(tmp_path / "f", [0, 3000, 6000], arm="frozen", every=6000)
    found = lines(tmp_path)
    assert found[0] == "**Hopper-v5**"
    assert found[2] == (
        "| arm | seeds | steps | final return | return over the run | steps to 3,000 | reached | × scratch | "
        "their curve | CPU time |"
    )
    assert found[4] == (
        "| scratch | 2 | 12,000 | 3,000 [2,000, 4,000] | 1,750 [1,000, 2,500] | > 9,000 | 1 of 2 | – | 12,000 | "
        "100.0 min |"
    )
    assert found[5] == "| frozen | 1 | 12,000 | 6,000 | 3,000 | 6,000 | 1 of 1 | < 0.67 | 6,000 | 100.0 min |"


def test_what_was_not_reached_says_so(tmp_path: Path) -> None:
    record_run(tmp_path / "f", [0, 1], arm="frozen", every=30_000)
    (line,) = [line for line in lines(tmp_path, threshold=5.0) if line.startswith("| frozen")]
    assert line == "| frozen | 1 | 30,000 | 1 | 0.5 | > 30,000 | 0 of 1 | > 30,000 | 250.0 min |"


def test_without_the_reference_there_is_no_ratio_to_it(tmp_path: Path) -> None:
    for arm, env in (("frozen", "Ant-v5"), ("frozen", "Hopper-v5"), ("scratch", "Hopper-v5")):
        record_run(tmp_path / arm / env, [0, 1], arm=arm, env=env)
    heads = [line for line in lines(tmp_path, threshold=5.0) if line.startswith("| arm")]
    assert ["×" in head for head in heads] == [False, True]


def test_without_a_threshold_there_are_no_columns_for_it(tmp_path: Path) -> None:
    record_run(tmp_path / "f", [0, 1], arm="frozen")
    found = lines(tmp_path)
    assert "| arm | seeds | steps | final return | return over the run | CPU time |" in found
    assert not any("threshold" in line for line in found)


def test_every_row_has_every_column(tmp_path: Path) -> None:
    for env in ("Hopper-v5", "Walker2d-v5"):
        for arm in ("scratch", "frozen"):
            record_run(tmp_path / env / arm, [0, 1], arm=arm, env=env)
    rows = [line for line in lines(tmp_path) if line.startswith("|")]
    assert len(rows) == 8
    assert {row.count("|") for row in rows} == {11}


def test_success_rates_keep_their_digits(tmp_path: Path) -> None:
    record_run(tmp_path / "f", [0, 500], arm="frozen", success_rate=[0.0, 0.75])
    found = lines(tmp_path, measure="success_rate", threshold=0.5)
    assert any("final success" in line and "steps to 0.5" in line for line in found)
    assert any("| 0.75 |" in line for line in found)


def test_seeds_that_end_at_different_steps_are_pointed_out(tmp_path: Path) -> None:
    record_run(tmp_path / "a", [0, 1, 2], seed=0)
    assert "different steps" not in lines(tmp_path)[-1]
    record_run(tmp_path / "b", [0, 1], seed=1)
    assert lines(tmp_path)[-1].endswith("The seeds in Hopper-v5 end at different steps: scratch at 10 to 20.")


@pytest.mark.parametrize("name", ["a|b", "x\ny"])
def test_an_arm_cannot_break_the_table(tmp_path: Path, name: str) -> None:
    record_run(tmp_path / "a", [0, 1], arm=name)
    rows = [line for line in lines(tmp_path) if line.startswith("|")]
    assert len(rows) == 3
    assert {row.replace("\\|", "").count("|") for row in rows} == {7}
