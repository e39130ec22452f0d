"""Laws of several processes: they take turns, agree on the data, and Slurm's variables alone make no process."""

import json
import sys
from pathlib import Path

import pytest
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

from diffsr_hub.errors import UserError
from pretrain.ranks import cluster_environment
from tests.pretrain.conftest import TINY
from tests.processes import ended, start

ROOT = Path(__file__).parents[2]
TOGETHER = """
import json, os, sys
from pathlib import Path
from pretrain import fit
rank, found = os.environ["RANK"], fit.find_data
def find_data(config):
    if rank == sys.argv[1]:
        raise fit.UserError("there is no such data")
    before = Path("found").is_file()
    result = found(config)
    Path("found").touch()
    Path(f"rank-{rank}.json").write_text(json.dumps(before))
    return result
fit.find_data = find_data
fit.main(sys.argv[2:])
"""
ALLOCATION = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4", "SLURM_JOB_NAME": "train"}
STEP = {**ALLOCATION, "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "4", "SLURM_NTASKS_PER_NODE": "4"}


@pytest.fixture
def slurm(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("SLURM_JOB_ID", "SLURM_STEP_ID", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def set_all(patch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        patch.setenv(name, value)


def test_without_slurm_lightning_finds_out_by_itself(slurm):
    assert cluster_environment(1) == cluster_environment(2) == []


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_an_allocation_of_several_tasks_is_one_process_until_srun_makes_more(slurm, processes):
    set_all(slurm, ALLOCATION)
    (environment,) = cluster_environment(processes)
    assert isinstance(environment, LightningEnvironment)


def test_srun_makes_a_process_of_every_task(slurm):
    set_all(slurm, STEP)
    (environment,) = cluster_environment(4)
    assert isinstance(environment, SLURMEnvironment) and not environment.auto_requeue


@pytest.mark.parametrize("processes", [1, 2])
def test_another_number_of_processes_than_srun_started_is_one_line(slurm, processes):
    set_all(slurm, STEP)
    with pytest.raises(UserError, match=f"srun started 4 processes, and --devices times --num_nodes is {processes}: "):
        cluster_environment(processes)


def test_torchrun_inside_an_allocation_is_torchrun(slurm):
    set_all(slurm, {**STEP, "TORCHELASTIC_RUN_ID": "x"})
    assert cluster_environment(1) == []


def test_a_run_in_an_allocation_comes_to_its_encoder(pretrain, slurm):
    set_all(slurm, ALLOCATION)
    assert (pretrain("run", "--max_steps", "50") / "encoder/model.safetensors").is_file()


def together(fails: str = "none") -> list[tuple[int, str, str]]:
    """What became of two processes that are started at once, as torchrun does; the rank `fails` finds no data."""
    flags = [*TINY, "--dataset", "test/linear", "--accelerator", "cpu", "--devices", "2"]
    Path("together.py").write_text(TOGETHER)
    common = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "0", "TORCHELASTIC_RUN_ID": "x"}
    common |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "PYTHONPATH": str(ROOT)}
    program = [sys.executable, "together.py", fails]
    processes = [start(program, *flags, RANK=rank, LOCAL_RANK=rank, **common) for rank in ("0", "1")]
    return [ended(process) for process in processes]


def free_port() -> int:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_processes_that_start_together_take_turns_and_make_one_run(machine):
    (first, out, err), (second, other_out, other_err) = together()
    assert (first, second) == (0, 0), err + other_err
    assert [json.loads(Path(f"rank-{rank}.json").read_text()) for rank in (0, 1)] == [False, True]
    assert out.count("load it:") == 1 and other_out == ""
    assert [path.name for path in Path("runs").iterdir()] == ["test-linear"]


def test_where_one_finds_no_data_all_end_and_one_says_why(machine):
    results = together(fails="0")
    assert [(code, err) for code, _, err in results] == [(2, "error: there is no such data\n"), (2, "")]
    assert not Path("runs").exists()
