from pathlib import Path

from diffsr_hub.studies.matrix import matrix
from diffsr_hub.studies.matrix_table import BOLD, table
from diffsr_hub.studies.recorded_runs import read_runs
from tests.diffsr_hub.studies.runs import record_run


def test_every_arm_is_a_row_and_every_task_a_column(tmp_path: Path) -> None:
    for seed, scratch, frozen in ((0, 900.0, 2100.0), (1, 1100.0, 2900.0)):
        record_run(tmp_path / f"s{seed}", [0, scratch], seed=seed)
        record_run(tmp_path / f"f{seed}", [0, frozen], arm="frozen", seed=seed)
    record_run(tmp_path / "r", [0, 700.0], arm="random|ly")
    rates = {"success_rate": [0.0, 0.25]}
    record_run(tmp_path / "m0", [0, 1], env="metaworld/reach-v3", **rates)
    record_run(tmp_path / "m1", [0, 1], env="metaworld/reach-v3", arm="frozen", success_rate=[0.0, 1.0])
    found = table(matrix(read_runs([tmp_path]), value="final")).splitlines()
    assert found[:4] == [
        "|  | Hopper-v5 (1 = 1,000) | metaworld/reach-v3 (points of success) |",
        "| --- | --- | --- |",
        "| frozen | **+1.50 [+1.00, +2.00]** | +75.0 |",
        "| random\\|ly | -0.30 | – (not run) |",
    ]
    assert found[-1].startswith("Gain over scratch: ")
    assert found[-1].endswith(f" {BOLD} Seeds: 1 to 2 of each arm, 1 to 2 of scratch.")


def test_the_mean_of_the_tasks_is_the_last_column(tmp_path: Path) -> None:
    for env in ("A-v0", "B-v0"):
        for seed in (0, 1):
            record_run(tmp_path / f"s{env}{seed}", [0, 2], env=env, seed=seed)
            record_run(tmp_path / f"f{env}{seed}", [0, 3], env=env, arm="frozen", seed=seed)
    record_run(tmp_path / "r", [0, 1], env="A-v0", arm="random")
    found = table(matrix(read_runs([tmp_path]), value="final")).splitlines()
    assert found[0].endswith(" | mean of the tasks |")
    assert found[2] == "| frozen | **+0.50** | **+0.50** | **+0.50** (2 tasks) |"
    assert found[3] == "| random | -0.50 | – (not run) | – |"


def test_an_interval_with_zero_in_it_is_not_bold(tmp_path: Path) -> None:
    for seed, value in enumerate((1.0, 3.0)):
        record_run(tmp_path / f"s{seed}", [0, value], seed=seed)
        record_run(tmp_path / f"f{seed}", [0, value], arm="frozen", seed=seed)
    assert "| frozen | +0.00 [-1.00, +1.00] |" in table(matrix(read_runs([tmp_path]), value="final"))


def test_it_says_which_cells_end_early_and_why_there_is_no_unit(tmp_path: Path) -> None:
    record_run(tmp_path / "s", [0, 1, 2], every=1000)
    record_run(tmp_path / "f", [0, 1], arm="frozen", every=1000)
    record_run(tmp_path / "w", [1, 0], env="Walker2d-v5", every=1000)
    record_run(tmp_path / "v", [1, 0], env="Walker2d-v5", arm="frozen", every=1000)
    text = table(matrix(read_runs([tmp_path])))
    assert text.endswith(" Not to the last step of scratch: frozen in 1 of the tasks, to 1,000.\n")
    assert "Walker2d-v5 (no unit) |" in text
    assert "| – (scratch did not learn) |" in text
