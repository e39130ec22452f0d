"""The processes of a run: who starts them, and who goes first where all need the same data.

Lightning starts those of one machine itself, when training begins, and what the first process found, downloaded and
cached is there by then. torchrun and srun start all of them at once, and here they take turns.
"""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import TypeGuard, TypeVar

import torch
import torch.distributed as dist
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch.strategies import DDPStrategy, Strategy

from diffsr_hub.errors import UserError

PATIENCE = timedelta(days=1)
"""for a download or a collection by another process; where that ends early, its connection closes, and all end"""

Found = TypeVar("Found")


def cluster_environment(processes: int) -> list[ClusterEnvironment]:
    """The plugin by which Lightning learns who starts the processes; none where it finds out by itself.

    Inside an allocation of Slurm, Lightning takes the number of tasks for the number of processes that run. Only srun
    starts a process for each task; without it this program runs once, and Lightning starts the others.

    Args:
        processes: How many the settings ask for, on all nodes.

    Raises:
        UserError: srun started another number of processes, or not in a way that Lightning knows.
    """
    if "SLURM_JOB_ID" not in os.environ or TorchElasticEnvironment.detect():
        return []
    tasks = int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) if "SLURM_STEP_ID" in os.environ else 1
    if tasks == 1:
        return [LightningEnvironment()]
    if tasks != processes:
        raise UserError(
            f"srun started {tasks} processes, and --devices times --num_nodes is {processes}: start {processes}, "
            f"or set the flags to make {tasks}"
        )
    try:
        return [SLURMEnvironment(auto_requeue=False)]  # which would take SIGUSR1 from us
    except RuntimeError as error:
        raise UserError(f"Slurm: {' '.join(str(error).split())}") from error


def take_turns(strategy: Strategy, work: Callable[[], Found]) -> Found:
    """Do what all processes need done: the first of all alone, then the first of each other node, then the rest.

    Args:
        strategy: Of the trainer, before it trains.
        work: Finds on this machine what a process before has put there.

    Raises:
        SystemExit: Another process failed, and says why.
    """
    if not _started_together(strategy):
        return work()
    strategy.setup_environment()
    group = dist.new_group(backend="gloo", timeout=PATIENCE)
    mine = 0 if strategy.is_global_zero else 1 if strategy.local_rank == 0 else 2
    found: list[Found] = []
    for turn in range(3):
        problem: BaseException | None = None
        try:
            found += [work()] if turn == mine else []
        except BaseException as error:
            problem = error
        failed = torch.tensor(int(problem is not None))
        dist.all_reduce(failed, group=group)
        if failed:
            raise problem or SystemExit(2)
    return found[0]


def check_same(strategy: Strategy, what: str, mine: object) -> None:
    """Refuse to train where a process found something else than the first one.

    Raises:
        UserError: It did.
    """
    if not _started_together(strategy):
        return
    first = strategy.broadcast(repr(mine))
    if first != repr(mine):
        raise UserError(f"process {strategy.global_rank} found other {what} than the first one: {mine}, not {first}")


def _started_together(strategy: Strategy) -> TypeGuard[DDPStrategy]:
    """Whether torchrun, srun or the like has started all processes at once."""
    if not isinstance(strategy, DDPStrategy) or isinstance(strategy.cluster_environment, LightningEnvironment):
        return False
    return strategy.cluster_environment is not None and strategy.cluster_environment.creates_processes_externally
