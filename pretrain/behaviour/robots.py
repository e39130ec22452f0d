"""The MuJoCo robots as a source of behaviour: their bundled linear policies at several noise levels.

Each episode is played by one cell of (policy, action noise), or uniformly at random: always by the cell that has the
fewest steps so far, so that the quality is mixed evenly by steps, however short the episodes of bad policies are.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import gymnasium as gym
import numpy as np

from diffsr_hub.suites.mujoco.suite import MUJOCO
from diffsr_hub.suites.pixels.environment import make_frames
from diffsr_hub.suites.pixels.names import split_namespace, view_of
from pretrain.behaviour import linear
from pretrain.behaviour.linear import NOISE_LEVELS, Record, rollout
from pretrain.behaviour.mixture import Cell, Mixture, Source, steps_bar


def play(names: Sequence[str], steps: int, seed: int, processes: int) -> Iterator[Mixture]:
    """Roll out the policies of robots, one after the other, in this process.

    Args:
        names: Such as mujoco/hopper, or mujoco/hopper/pixels64 for pictures.
        steps: Of each; the last episode is finished, so there are a few more.
        seed: Of everything random.
        processes: Not used: which cell plays next depends on all episodes before.
    """
    for name in names:
        namespace, size = split_namespace(name)
        robot = namespace.rpartition("/")[2]
        record = linear.load(robot)
        if size:
            record = linear.load(robot, view_of(record.env).action_repeat)
        with closing(make_frames(record.env, size) if size else gym.make(record.env)) as env:
            yield _mixture(name, env, record, steps, seed)


def _mixture(
    name: str,
    env: gym.Env[Any, Any],
    record: Record,
    steps: int,
    seed: int,
) -> Mixture:
    rng = np.random.default_rng(seed)
    players = {policy.name: policy for policy in record.policies}
    cells = [Cell("random", 0.0), *(Cell(policy, noise) for noise in NOISE_LEVELS for policy in players)]
    episodes = []
    done = 0
    with steps_bar(record.env, steps) as show:
        while done < steps:
            cell = min(cells, key=lambda cell: cell.steps)
            episode = rollout(env, players.get(cell.policy), cell.noise, rng)
            cell.add(episode)
            episodes.append((cell, episode))
            done += len(episode.rewards)
            show(done)
    return Mixture(name, env, episodes, _facts(record), record.command)


def _facts(record: Record) -> dict[str, Any]:
    return {
        "algorithm_name": f"{record.algorithm} at mixed quality, and uniformly random actions",
        "description": (
            f"{record.env} played by the linear policies that ship with diffsr-hub, with Gaussian action noise of "
            f"{', '.join(map(str, NOISE_LEVELS))} half action ranges, and by uniformly random actions; balanced by "
            "steps from near-random to the best."
        ),
        "ref_min_score": record.random_return,
        "ref_max_score": record.policies[0].returns["0.0"],
        "num_episodes_average_score": record.episodes,
    }


SOURCE = Source(MUJOCO, play, steps=100_000)
