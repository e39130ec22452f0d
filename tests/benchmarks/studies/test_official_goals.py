from pathlib import Path

import pytest

from benchmarks.studies import study
from benchmarks.studies.meta_world import DEMONSTRATIONS, KEPT, PARTS
from benchmarks.studies.official_goals import GOALS, PAPER, evaluate, table
from diffsr_hub.files.atomic import write_json
from diffsr_hub.studies.recorded_runs import RECORD
from finetune.sweep.plan import PlannedRun


def record(folder: Path, goals: float, on_the_way: list[float]) -> None:
    folder.mkdir(parents=True)
    write_json(folder / GOALS, {"success_rate": goals})
    write_json(folder / RECORD, {"evaluations": [{"success_rate": rate} for rate in on_the_way]})


def test_the_table_by_hand(tmp_path: Path) -> None:
    record(tmp_path / "metaworld-hammer-v3/plain/seed-0", 0.92, [0.0, 1.0, 0.9])
    record(tmp_path / "metaworld-hammer-v3/other/seed-0", 0.5, [0.5])
    record(tmp_path / "metaworld-hammer-v3/other/seed-1", 0.7, [0.7])
    record(tmp_path / "metaworld-sweep-v3/plain/seed-0", 0.5, [0.5])
    record(tmp_path / "metaworld-reach-v3/plain/seed-0", 0.5, [0.5])  # is none of the paper's
    unfinished = tmp_path / "metaworld-sweep-v3/plain/seed-1"
    record(unfinished, 1.0, [1.0])
    (unfinished / GOALS).unlink()
    head, _, *rows, mean, good = table(tmp_path, ["plain", "other", "third"]).splitlines()
    assert head == "|  | plain | other | third |"
    assert [row for row in rows if row.count("–") < 3] == [
        "| hammer-v3 | 0.92 (1.0) | 0.60 [0.50, 0.70] (0.6 [0.5, 0.7]) | – |",
        "| sweep-v3 | 0.50 (0.5) | – | – |",
    ]
    assert len(rows) == len(PAPER) == 8
    assert (mean, good) == ("| mean | 0.71 of 2 | 0.60 of 1 | – |", "| 0.9 or more | 1 of 2 | 0 of 1 | 0 of 0 |")


def test_an_agent_tries_the_goals_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(study, "program", lambda *arguments: calls.append(arguments))
    run = PlannedRun("metaworld/hammer-v3", "demonstrations", 0, tmp_path, {})
    evaluate(run)
    (tmp_path / GOALS).write_text("{}")
    evaluate(run)
    file = str(tmp_path / GOALS)
    assert calls == [("-m", "diffsr_hub.cli", "evaluate", str(tmp_path / "agent"), "--file", file)]


def test_the_documented_table_is_that_of_the_raw_results() -> None:
    assert table(KEPT, PARTS[DEMONSTRATIONS]) in (study.ROOT / "docs" / "metaworld_study.md").read_text()
