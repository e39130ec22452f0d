from pathlib import Path

from benchmarks.program import ROOT
from benchmarks.studies.unlearning import ARMS, RESULTS, table
from diffsr_hub.studies.recorded_runs import Run
from finetune.sweep.plan import plan, read_arms, write_down


def test_a_drop_is_the_lowest_evaluation_per_first_one() -> None:
    returns = (100.0, 80.0, 3_000.4)
    run = Run(Path(), "Hopper-v5", "frozen", 1, (0, 500, 1_000), (0, 1, 2), {"mean_return": returns})
    assert table([run]).splitlines()[-1] == "| Hopper-v5 | frozen | 1 | 100 | 80 | 0.80 | 3,000 |"


def test_every_arm_is_one_that_a_run_can_have(tmp_path: Path) -> None:
    write_down(plan(["Hopper-v5"], read_arms(ARMS), [1], tmp_path, {}))


def test_the_documented_table_is_that_of_the_raw_results_and_both_arms_begin_alike() -> None:
    runs = RESULTS.runs()
    assert table(runs) in (ROOT / "docs" / "transfer.md").read_text()
    first = {(run.env, run.seed, run.measures["mean_return"][0]) for run in runs}
    assert len(runs) == 12 and len(first) == 6
