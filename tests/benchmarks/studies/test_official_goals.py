from pathlib import Path

import pytest

from benchmarks.program import ROOT
from benchmarks.studies import study
from benchmarks.studies.meta_world import DEMONSTRATIONS, PARTS, RESULTS
from benchmarks.studies.official_goals import GOALS, PAPER, evaluate, table
from diffsr_hub.files.json_lines import Record
from finetune.sweep.plan import PlannedRun


def record(env: str, arm: str, goals: float | None, on_the_way: list[float]) -> Record:
    tried = {} if goals is None else {"official": {"success_rate": goals}}
    return {"env": env, "arm": arm, "evaluations": [{"success_rate": rate} for rate in on_the_way]} | tried


def test_the_table_by_hand() -> None:
    records = [
        record("metaworld/hammer-v3", "plain", 0.92, [0.0, 1.0, 0.9]),
        record("metaworld/hammer-v3", "other", 0.5, [0.5]),
        record("metaworld/hammer-v3", "other", 0.7, [0.7]),
        record("metaworld/sweep-v3", "plain", 0.5, [0.5]),
        record("metaworld/sweep-v3", "plain", None, [1.0]),  # did not try them yet
        record("metaworld/reach-v3", "plain", 0.5, [0.5]),  # is none of the paper's
    ]
    head, _, *rows, mean, good = table(records, ["plain", "other", "third"]).splitlines()
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
    assert table(RESULTS.records(), PARTS[DEMONSTRATIONS]) in (ROOT / "docs" / "metaworld_study.md").read_text()
