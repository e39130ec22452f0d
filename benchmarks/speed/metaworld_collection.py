"""Collecting Meta-World data against the environments' own steps: the same actions, replayed, without anything else.

python benchmarks/speed/metaworld_collection.py
"""

import os
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import gymnasium as gym

from benchmarks.program import start
from benchmarks.speed.report import report
from diffsr_hub.suites.meta_world.environment import EPISODE_STEPS  # registers the tasks, too
from diffsr_hub.suites.meta_world.suite import META_WORLD
from pretrain.behaviour.scripted import NOISE_LEVELS, Job, play_episode
from pretrain.collect import collect


def own_seconds(task: str, jobs: Sequence[Job]) -> tuple[float, float]:
    """CPU seconds of the environment's own steps, without resets; and of playing the same episodes."""
    env = gym.make(task).unwrapped
    stepping = playing = 0.0
    play_episode(jobs[0])  # compiles
    for job in jobs:
        start = time.process_time()
        episode = play_episode(job).episode
        playing += time.process_time() - start
        env.reset(seed=episode.seed)
        start = time.process_time()
        for action in episode.actions:
            env.step(action)
        stepping += time.process_time() - start
    return stepping, playing


def collecting(group: str, steps: int, processes: int) -> tuple[float, float]:
    """CPU seconds of this process, and wall seconds, of the whole program with compiling, resets and writing."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MINARI_DATASETS_PATH"] = folder
        cpu, wall = time.process_time(), time.perf_counter()
        collect(group, steps=steps, processes=processes, say=lambda _: None)
        return time.process_time() - cpu, time.perf_counter() - wall


def row(task: str, own_step: dict[str, float]) -> list[str]:
    """Measure one task, and note the seconds of one step of its own."""
    ways = [("random", 0.0), *(("scripted", noise) for noise in NOISE_LEVELS)]
    jobs = [Job(task, *way, 0, number) for number, way in enumerate(ways)]
    own, played = own_seconds(task, jobs)
    count = EPISODE_STEPS * len(jobs)
    own_step[task] = own / count
    return [task, f"{count / own:,.0f}", f"{count / played:,.0f}", f"{own / played:.2f}"]


def main(group: str = "metaworld/ml10-test", steps: int = 10_000) -> None:
    """Print the tables.

    Args:
        group: whose tasks are measured.
        steps: of each dataset that the program collects.
    """
    warnings.simplefilter("ignore")
    own_step: dict[str, float] = {}
    report(
        ["task", "own steps / s", "played steps / s", "ratio"],
        (row(task, own_step) for task in META_WORLD.members(group)),
    )
    cores, done = len(os.sched_getaffinity(0)), steps * len(own_step)
    total = steps * sum(own_step.values())
    used, alone = collecting(group, steps, processes=1)
    _, together = collecting(group, steps, processes=cores)
    print(
        f"\nThe whole program, {done:,} steps: {used:.0f} s of CPU, of which own steps {total:.0f} s: "
        f"{total / used:.2f}. "
        f"By the clock {done / alone:,.0f} steps / s in one process, {done / together:,.0f} in {cores}."
    )


if __name__ == "__main__":
    start(main)
