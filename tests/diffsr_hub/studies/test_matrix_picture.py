from pathlib import Path

import pytest
from matplotlib.image import imread

from diffsr_hub.studies.matrix import matrix
from diffsr_hub.studies.matrix_picture import draw
from diffsr_hub.studies.recorded_runs import read_runs
from tests.diffsr_hub.studies.runs import record_run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Every kind of cell."""
    for seed, value in enumerate((900.0, 1100.0)):
        record_run(tmp_path / f"s{seed}", [0, value, value], seed=seed)
        record_run(tmp_path / f"f{seed}", [0, 3 * value, 3 * value], arm="frozen", seed=seed)
    record_run(tmp_path / "u", [0, 700.0], arm="cost$ and $more")
    for arm, rate in (("scratch", 0.0), ("frozen", 0.75)):
        record_run(tmp_path / f"m-{arm}", [0, 1], env="metaworld/reach-v3", arm=arm, success_rate=[0.0, rate])
    return tmp_path


def test_every_number_is_in_the_picture(folder: Path) -> None:
    file = folder / "matrix.svg"
    draw(matrix(read_runs([folder]), value="final"), file)
    text = file.read_text()
    for shown in ("+2.00", "[+1.60, +2.40]", "-0.30", "one seed", "to step 10", "+75.0", "not run", "1 = 1,000"):
        assert f"<!-- {shown} -->" in text or f" {shown}\n" in text, shown
    assert "mean of" not in text
    for name in ("Hopper-v5", "reach-v3", "cost$ and $more", "gain over scratch"):
        assert name in text, name


def test_the_mean_of_the_tasks_is_a_column_of_its_own(folder: Path) -> None:
    for seed in (0, 1):
        record_run(folder / f"h{seed}", [0, 10, 10], env="HalfCheetah-v5", seed=seed)
        record_run(folder / f"i{seed}", [0, 20, 20], env="HalfCheetah-v5", arm="frozen", seed=seed)
    file = folder / "matrix.svg"
    draw(matrix(read_runs([folder]), value="final"), file)
    text = file.read_text()
    for shown in ("+1.50", "[+1.30, +1.70]", "of 2 tasks", "mean of", "the tasks"):
        assert f"<!-- {shown} -->" in text or f" {shown}\n" in text, shown


def test_a_single_cell_and_no_known_gain_are_drawn(folder: Path) -> None:
    runs = read_runs([folder])
    for number, chosen in enumerate((["frozen"], ["cost$ and $more"])):
        file = folder / f"{number}.png"
        draw(matrix([run for run in runs if run.env == "Hopper-v5" and run.arm in ("scratch", *chosen)]), file)
        assert imread(file).std() > 0
    record_run(folder / "w0", [5, 5], env="Walker2d-v5")
    record_run(folder / "w1", [5, 5], env="Walker2d-v5", arm="frozen")
    draw(matrix([run for run in read_runs([folder]) if run.env == "Walker2d-v5"]), folder / "grey.png")
    assert imread(folder / "grey.png").std() > 0
