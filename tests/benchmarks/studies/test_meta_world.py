from pathlib import Path

import pytest

from benchmarks.program import ROOT
from benchmarks.studies.meta_world import (
    ALWAYS,
    ARMS,
    ENOUGH,
    GROUPS,
    PARTS,
    RELEASED,
    RESULTS,
    Encoder,
    chosen,
    encoders,
    full_name,
    tasks_with_data,
)
from benchmarks.studies.results import runs_beside
from diffsr_hub.errors import UserError
from diffsr_hub.studies import comparison_table
from diffsr_hub.studies.aligned import in_tasks
from diffsr_hub.studies.comparison import compare
from diffsr_hub.suites.meta_world.names import TASKS
from finetune.sweep.plan import plan, read_arms, write_down

HAMMER = "metaworld/hammer-v3"


@pytest.mark.parametrize("file", [ARMS, GROUPS], ids=lambda file: file.name)
def test_every_arm_is_one_that_a_run_can_have(file: Path, tmp_path: Path) -> None:
    write_down(plan([HAMMER], read_arms(file), [0], tmp_path, {}))


def test_the_arms_need_encoders_that_never_saw_the_task(tmp_path: Path) -> None:
    runs = plan([HAMMER], read_arms(ARMS), [0, 1], tmp_path, {})
    folders = [Path(f"runs/encoders/metaworld-mt50-without-hammer-v3-{seed}") for seed in (0, 1)]
    assert encoders(runs) == [
        Encoder(folder, "metaworld/mt50-without-hammer-v3", seed) for seed, folder in enumerate(folders)
    ]
    assert tasks_with_data(runs) == list(TASKS)  # of the task itself, as demonstrations


def test_only_what_is_needed_is_collected(tmp_path: Path) -> None:
    assert tasks_with_data(plan([HAMMER], chosen(read_arms(ARMS), "scratch"), [0], tmp_path, {})) == []
    assert tasks_with_data(plan([HAMMER], chosen(read_arms(ARMS), "demonstrations"), [0], tmp_path, {})) == [HAMMER]
    assert tasks_with_data(plan([HAMMER], chosen(read_arms(GROUPS), "own"), [0], tmp_path, {})) == [HAMMER]
    assert len(tasks_with_data(plan([HAMMER], chosen(read_arms(GROUPS), "ml10"), [0], tmp_path, {}))) == 10


def test_the_cards_show_arms_that_there_are() -> None:
    assert {*ALWAYS, *(arm for special in RELEASED.values() for arm in special)} <= {
        *read_arms(ARMS),
        *read_arms(GROUPS),
    }


def test_names() -> None:
    assert {full_name(word) for word in ("hammer", " hammer-v3", "metaworld/hammer", HAMMER)} == {HAMMER}
    with pytest.raises(UserError, match=r"did you mean metaworld/hammer-v3\?"):
        full_name("hamer")
    with pytest.raises(UserError, match=r"unknown arm 'frosen', .*did you mean frozen\?"):
        chosen(read_arms(ARMS), "scratch,frosen")


@pytest.mark.parametrize("part", PARTS)
def test_the_kept_tables_are_those_of_the_raw_results_and_the_documented_ones(part: str) -> None:
    runs = RESULTS.runs()
    tasks, arms = runs_beside(part, PARTS[part], runs)
    study = compare(in_tasks(runs, tasks), arms=arms, reference=arms[0], measure="success_rate", threshold=ENOUGH)
    assert (RESULTS.shown / part / "comparison.md").read_text() == comparison_table.table(study)
    text = (ROOT / "docs" / "metaworld_study.md").read_text()
    tables, _, legend = comparison_table.table(study).strip().rpartition("\n\n")
    assert f"(generated/metaworld/{part}/comparison.md)" in text or (tables in text and legend in text)
