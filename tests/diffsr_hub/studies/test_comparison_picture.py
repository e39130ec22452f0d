from pathlib import Path

import pytest
from matplotlib.image import imread

from diffsr_hub.presentation.picture import OKABE_ITO
from diffsr_hub.studies.comparison import compare
from diffsr_hub.studies.comparison_picture import _styles, draw
from diffsr_hub.studies.recorded_runs import read_runs
from tests.diffsr_hub.studies.runs import record_run


@pytest.mark.parametrize("tasks", [1, 2, 3, 4, 5])
def test_every_task_is_a_panel_and_every_arm_a_line(tmp_path: Path, tasks: int) -> None:
    for task in range(tasks):
        for arm in ("scratch", "frozen"):
            for seed in range(2):
                folder = tmp_path / f"{task}-{arm}-{seed}"
                record_run(folder, [0, seed, 9], arm=arm, env=f"Task{task}-v0", seed=seed)
    file = tmp_path / "curves.svg"
    draw(compare(read_runs([tmp_path])), file)
    text = file.read_text()
    assert [text.count(f"<!-- Task{task}-v0 -->") for task in range(tasks)] == [1] * tasks
    assert text.count("<!-- frozen -->") == 1  # the legend names it once
    assert text.lower().count(f"stroke: {OKABE_ITO[1].lower()}") > tasks


def test_below_the_curves_are_the_steps_to_the_threshold_where_there_is_one(tmp_path: Path) -> None:
    record_run(tmp_path / "a", [0, 1, 2], arm="scratch", env="Known-v0")
    record_run(tmp_path / "b", [0, 1, 1], arm="frozen", env="Known-v0")
    record_run(tmp_path / "c", [0, 1], arm="frozen", env="Unknown-v0")
    file = tmp_path / "curves.svg"
    draw(compare(read_runs([tmp_path])), file)
    text = file.read_text()
    assert text.count("<!-- environment steps; bars: until the threshold -->") == 1
    assert text.count("<!-- environment steps -->") == 1


def test_the_reference_has_the_first_colour_also_where_the_first_task_lacks_it(tmp_path: Path) -> None:
    record_run(tmp_path / "a", [0, 1], arm="frozen", env="Ant-v5")
    record_run(tmp_path / "b", [0, 1], arm="scratch", env="Hopper-v5")
    styles = _styles(compare(read_runs([tmp_path])))
    assert [(name, style["color"]) for name, style in styles.items()] == list(
        zip(("scratch", "frozen"), OKABE_ITO, strict=False)
    )


def test_more_arms_than_colours_and_one_seed_are_drawn(tmp_path: Path) -> None:
    for number in range(len(OKABE_ITO) + 2):
        record_run(tmp_path / str(number), [0, number], arm=f"arm{number}")
    file = tmp_path / "curves.png"
    draw(compare(read_runs([tmp_path])), file)
    assert imread(file).std() > 0


def test_an_unknown_type_of_picture_leaves_nothing(tmp_path: Path) -> None:
    record_run(tmp_path / "a", [0, 1])
    with pytest.raises(ValueError, match="xyz"):
        draw(compare(read_runs([tmp_path])), tmp_path / "curves.xyz")
    assert not list(tmp_path.glob("*curves*"))
