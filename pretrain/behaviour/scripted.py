"""Meta-World as a source of behaviour: the package's scripted experts, from flawless to lost, and random actions.

All episodes are of 500 steps and independent of each other: each is a function of (seed, task, number), so that the
processes that play them, however many, make the same data.
"""

import multiprocessing
import os
import signal
import warnings
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffsr_hub.errors import UserError
from diffsr_hub.suites.meta_world.suite import META_WORLD
from diffsr_hub.suites.pixels.environment import make_frames
from diffsr_hub.suites.pixels.names import split_namespace, view_of
from diffsr_hub.suites.success import succeeded
from pretrain.behaviour.linear import STATE, Episode, state_infos
from pretrain.behaviour.mixture import Cell, Mixture, Source, steps_bar

NOISE_LEVELS = (0.0, 0.1, 0.3, 1.0)
"""standard deviations of the expert's action noise, as fractions of half the action range"""
DETOURS = 5
"""mean number of restarts in an episode, in all cells but the flawless one"""
SHORTEST_DETOUR, LONGEST_DETOUR = 10, 40
"""steps"""


class Job(NamedTuple):
    """One episode to play."""

    task: str
    """such as metaworld/door-open-v3, or metaworld/door-open-v3/pixels64 for pictures"""
    policy: str
    noise: float
    seed: int
    number: int


class Played(NamedTuple):
    """One episode that was played."""

    episode: Episode
    success: bool
    """whether the task was solved at any step"""


def play(tasks: Sequence[str], steps: int, seed: int, processes: int) -> Iterator[Mixture]:
    """Roll out the experts of tasks, one after the other, over some processes.

    Args:
        tasks: Such as metaworld/door-open-v3, or metaworld/door-open-v3/pixels64 for pictures: all of one kind.
        steps: Of each, rounded up to whole episodes.
        seed: Of everything random.
        processes: How many play; 0 for one on each core. It does not change the data.

    Raises:
        UserError: Meta-World cannot be used here, or a process that played died.
    """
    import gymnasium as gym

    from diffsr_hub.suites.meta_world.environment import check_installation

    check_installation()
    length = _episode_steps(tasks[0])
    count = -(-steps // length)
    ways = [("random", 0.0), *(("scripted", noise) for noise in NOISE_LEVELS)]
    jobs = [Job(task, *ways[i % len(ways)], seed, i) for task in tasks for i in range(count)]
    with _players(processes or _cores(), jobs) as played:
        for task in tasks:
            cells = {way: Cell(*way) for way in ways}
            episodes, notes = [], []
            with steps_bar(task, count * length) as show:
                for job, (episode, success) in islice(zip(jobs, played, strict=False), count):
                    cell = cells[job.policy, job.noise]
                    cell.add(episode, success)
                    episodes.append((cell, episode))
                    notes.append({"success": success})
                    show(len(episodes) * length)
            name, size = split_namespace(task)
            with closing(make_frames(name, size) if size else gym.make(name)) as env:
                yield Mixture(task, env, episodes, _facts(name), notes=notes)


def play_episode(job: Job) -> Played:
    """Play one episode from start to end."""
    env, expert = _environment(job.task), _expert(job.task)
    rng = np.random.default_rng([job.seed, zlib.crc32(job.task.encode()), job.number])
    reset_seed, astray = int(rng.integers(2**31)), detours(rng, _repeat(job.task))
    chance = rng.uniform(-1, 1, astray.shape) if job.policy == "random" else rng.standard_normal(astray.shape)
    flawless = (job.policy, job.noise) == ("scripted", 0.0)
    obs, info = env.reset(seed=reset_seed)
    observations, states, steps, success = [obs], [info.get(STATE)], [], False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the experts warn of every action beyond the bounds, where it is clipped
        for lost, noise in zip(astray, chance, strict=True):
            if np.isfinite(lost[0]) and not flawless:
                action = lost
            elif job.policy == "random":
                action = noise
            else:  # a copy: some experts change the observation that they are shown
                state = obs if states[-1] is None else states[-1]
                action = np.clip(expert.get_action(state.copy()) + job.noise * noise, -1, 1)
            action = action.astype(np.float32)
            obs, reward, terminated, truncated, info = env.step(action)
            observations.append(obs)
            states.append(info.get(STATE))
            steps.append((action, reward, terminated, truncated))
            success = success or bool(succeeded(info))
    actions, *columns = zip(*steps, strict=True)
    rewards, terminations, truncations = map(np.array, columns)
    infos = state_infos(states)
    seen, done = np.stack(observations), np.stack(actions)
    return Played(Episode(reset_seed, seen, done, rewards, terminations, truncations, infos), success)


def _repeat(task: str) -> int:
    """Steps of the environment for which an action acts."""
    name, size = split_namespace(task)
    return view_of(name).action_repeat if size else 1


def _episode_steps(task: str) -> int:
    """Actions of an episode."""
    from diffsr_hub.suites.meta_world.environment import EPISODE_STEPS

    return EPISODE_STEPS // _repeat(task)


def detours(rng: np.random.Generator, repeat: int = 1) -> NDArray[np.float64]:
    """Actions `[500 / repeat, 4]` that lead astray for a while in one random direction each; NaN in between.

    After each, the expert starts again from wherever that led: independent noise alone averages out.
    """
    from diffsr_hub.suites.meta_world.environment import EPISODE_STEPS

    count = EPISODE_STEPS // repeat
    actions = np.full((count, 4), np.nan)
    for _ in range(rng.poisson(DETOURS)):
        first, length = rng.integers(count), rng.integers(SHORTEST_DETOUR // repeat, LONGEST_DETOUR // repeat + 1)
        actions[first : first + length] = rng.uniform(-1, 1, 4)
    return actions


@contextmanager
def _players(processes: int, jobs: Sequence[Job]) -> Iterator[Iterator[Played]]:
    """The episodes of all jobs, in their order, as they are played."""
    processes = min(processes, len(jobs))
    if processes <= 1:
        yield map(play_episode, jobs)
        return
    # Not forked: torch may have threads here. The fork server imports once for all.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pretrain.behaviour.scripted", "metaworld"])
    pool = ProcessPoolExecutor(processes, context, initializer=_ignore_interrupts)
    try:
        yield pool.map(play_episode, jobs)  # one at a time, so that an interruption waits for no more
    except BrokenProcessPool as error:
        raise UserError(
            f"one of {processes} processes that played died, perhaps for want of memory; the same command with fewer "
            "--processes collects what is missing"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _cores() -> int:
    """Those that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _ignore_interrupts() -> None:
    """Leave Ctrl-C to the process that waits."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@lru_cache(maxsize=1)
def _environment(task: str) -> Any:
    from diffsr_hub.suites.meta_world.environment import MetaWorldEnv

    name, size = split_namespace(task)
    return make_frames(name, size) if size else MetaWorldEnv(name)


@lru_cache(maxsize=1)
def _expert(task: str) -> Any:
    from metaworld.policies import ENV_POLICY_MAP

    policies: dict[str, Any] = ENV_POLICY_MAP
    return policies[split_namespace(task)[0].rpartition("/")[2]]()


def _facts(task: str) -> dict[str, Any]:
    return {
        "algorithm_name": "Meta-World's scripted expert at mixed quality, and uniformly random actions",
        "description": (
            f"{task} with random goals, played by the scripted expert of the metaworld package with Gaussian action "
            f"noise of {', '.join(map(str, NOISE_LEVELS))} half action ranges, and by uniformly random actions, in "
            f"equal shares; with noise, and at random, {DETOURS} times an episode the hand is led astray for "
            f"{SHORTEST_DETOUR} to {LONGEST_DETOUR} steps."
        ),
    }


SOURCE = Source(META_WORLD, play, steps=25_000)
"""50 episodes a task: ten of each cell"""
