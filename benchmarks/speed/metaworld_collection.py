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
from jsonargparse import auto_cli

import diffsr_hub.suites.meta_world.environment  # noqa: F401 (registers the tasks)
from benchmarks.speed.timing import machine
from diffsr_hub.errors import exit_codes
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


def main(group: str = "metaworld/ml10-test", steps: int = 10_000) -> None:
    """Print the tables.

    Args:
        group: whose tasks are measured.
        steps: of each dataset that the program collects.
    """
    warnings.simplefilter("ignore")
    print(machine(), "\n")
    print("| task | own steps / s | played steps / s | ratio |\n|---|---|---|---|")
    total = 0.0
    for task in META_WORLD.members(group):
        ways = [("random", 0.0), *(("scripted", noise) for noise in NOISE_LEVELS)]
        jobs = [Job(task, *way, 0, number) for number, way in enumerate(ways)]
        own, played = own_seconds(task, jobs)
        count = 500 * len(jobs)
        total += own / count * steps
        print(f"| {task} | {count / own:,.0f} | {count / played:,.0f} | {own / played:.2f} |", flush=True)
    cores, done = len(os.sched_getaffinity(0)), steps * len(META_WORLD.members(group))
    used, alone = collecting(group, steps, processes=1)
    _, together = collecting(group, steps, processes=cores)
    print(
        f"\nThe whole program, {done:,} steps: {used:.0f} s of CPU, of which own steps {total:.0f} s: "
        f"{total / used:.2f}. "
        f"By the clock {done / alone:,.0f} steps / s in one process, {done / together:,.0f} in {cores}."
    )


if __name__ == "__main__":
    with exit_codes():
        auto_cli(main)
