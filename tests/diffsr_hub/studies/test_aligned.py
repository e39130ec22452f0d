from pathlib import Path

import pytest

from diffsr_hub.errors import UserError
from diffsr_hub.studies.aligned import at_steps, common_steps, curve, in_tasks, shared_steps
from diffsr_hub.studies.measure import RETURN
from diffsr_hub.studies.recorded_runs import read_runs
from tests.diffsr_hub.studies.runs import record_run


def test_steps_in_common_and_the_values_there(tmp_path: Path) -> None:
    record_run(tmp_path / "a", [0, 1, 2, 3], every=10)
    record_run(tmp_path / "b", [5, 6], every=20, seed=1)
    fine, coarse = read_runs([tmp_path])
    assert shared_steps([fine, coarse]) == common_steps([coarse, fine]) == (0, 20)
    assert curve(fine, RETURN, (0, 20)) == [0, 2]
    assert at_steps(coarse, coarse.seconds, (20,)) == [10]


def test_without_a_step_in_common_there_is_nothing_to_align(tmp_path: Path) -> None:
    file = record_run(tmp_path / "a", [0]) / "evaluation.json"
    file.write_text(file.read_text().replace('"step": 0', '"step": 3'))
    record_run(tmp_path / "b", [0], seed=1)
    assert shared_steps(read_runs([tmp_path])) == ()
    with pytest.raises(UserError, match="the seeds of scratch in Hopper-v5 have no step in common"):
        common_steps(read_runs([tmp_path]))


def test_runs_are_chosen_by_their_task(tmp_path: Path) -> None:
    for env in ("Hopper-v5", "Ant-v5"):
        record_run(tmp_path / env, [0], env=env)
    runs = read_runs([tmp_path])
    assert [run.env for run in in_tasks(runs, ["Hopper-v5"])] == ["Hopper-v5"]
    with pytest.raises(UserError, match=r"unknown task 'Hoper-v5', .*did you mean Hopper-v5\?"):
        in_tasks(runs, ["Hoper-v5"])
