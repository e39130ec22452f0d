"""Small behaviour policies that ship with the project, and how one episode of them is rolled out.

Each robot has a few linear policies, `action = clip(weight @ obs + bias)`, stored as readable numbers in
`policies/<robot>.json` together with the returns they reach at several noise levels. `search.py` found them.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from diffsr_hub.errors import unknown
from diffsr_hub.files.atomic import write_text
from diffsr_hub.suites.mujoco.suite import MUJOCO

POLICIES = Path(__file__).parent / "policies"
STATE = "state"
"""under which the info of an environment that is seen has what it would observe otherwise"""
NOISE_LEVELS = (0.0, 0.1, 0.2, 0.4)
"""standard deviations of the action noise, as fractions of half the action range"""


@dataclass(frozen=True)
class LinearPolicy:
    """`action = clip(weight @ obs + bias, low, high)` on raw observations."""

    name: str
    weight: NDArray[np.float64]
    """`[action_dim, obs_dim]`"""
    bias: NDArray[np.float64]
    """`[action_dim]`"""
    returns: dict[str, float] = field(default_factory=dict)
    """mean undiscounted return by noise level, where it was measured"""

    def __call__(self, obs: NDArray[np.float64]) -> NDArray[np.float64]:
        """The unclipped action `[action_dim]` for one raw observation `[obs_dim]`."""
        return np.asarray(self.weight @ obs + self.bias)


@dataclass(frozen=True)
class Record:
    """What ships for one robot: its policies, best first, how they were found, and what they reach."""

    env: str
    algorithm: str
    command: str
    """the search that found them"""
    mujoco: str
    """the version in which the returns were measured"""
    episodes: int
    """over which each return is the mean"""
    random_return: float
    """mean undiscounted return of uniformly random actions"""
    policies: tuple[LinearPolicy, ...]
    action_repeat: int = 1
    """steps of the environment for which each action acts"""


class Episode(NamedTuple):
    """The columns of one episode of T steps."""

    seed: int
    """given to the environment's `reset`"""
    observations: NDArray[np.float64] | NDArray[np.uint8]
    """`[T+1, obs_dim]`, or pictures `[T+1, height, width, 3]`"""
    actions: NDArray[np.float32]
    """`[T, action_dim]`, in the environment's units"""
    rewards: NDArray[np.float64]
    terminations: NDArray[np.bool_]
    truncations: NDArray[np.bool_]
    infos: dict[str, NDArray[np.float64]] | None = None
    """of pictures, `state`: what is seen, in numbers, `[T+1, state_dim]`"""


def robots() -> list[str]:
    """The robots that have bundled policies, such as `hopper`: those of which the suite has bundled data."""
    return sorted(namespace.rpartition("/")[2] for namespace in MUJOCO.bundled)


def record_file(robot: str, action_repeat: int = 1, folder: Path | None = None) -> Path:
    """Where the record of a robot lies whose actions act for some steps each; in the project, unless told otherwise."""
    folder = POLICIES if folder is None else folder
    return (folder / f"repeat{action_repeat}" if action_repeat > 1 else folder) / f"{robot}.json"


def load(robot: str, action_repeat: int = 1) -> Record:
    """Read the record of a robot.

    Args:
        robot: such as `hopper`.
        action_repeat: steps of the environment for which each action acts.

    Raises:
        UserError: the project ships no policies for it.
    """
    file = record_file(robot, action_repeat)
    if not file.exists():
        known = sorted(path.stem for path in file.parent.glob("*.json"))
        raise unknown("robot" if action_repeat == 1 else f"robot whose actions act {action_repeat} times", robot, known)
    content = json.loads(file.read_text())
    policies = (
        LinearPolicy(p["name"], np.array(p["weight"]), np.array(p["bias"]), p["returns"]) for p in content["policies"]
    )
    return Record(**content | {"policies": tuple(policies)})


def save(record: Record, file: Path) -> None:
    """Write a record as JSON, a row of a matrix per line; there is never half a file."""
    spread = json.dumps(asdict(record), indent=1, default=np.ndarray.tolist)
    innermost = re.compile(r"([\[{])\s+([^\[\]{}]*?)\s+([\]}])")
    compact = innermost.sub(lambda found: found[1] + " ".join(found[2].split()) + found[3], spread)
    write_text(file, compact + "\n")


def rollout(env: gym.Env[Any, Any], policy: LinearPolicy | None, noise: float, rng: np.random.Generator) -> Episode:
    """Play one episode with Gaussian action noise.

    Args:
        env: an environment with `Box` observations and bounded `Box` actions.
        policy: the behaviour policy, which reads states also where pictures are observed; None acts uniformly at
            random within the bounds.
        noise: standard deviation of the action noise, as a fraction of half the action range.
        rng: source of the reset seed, of the noise and of random actions.
    """
    assert isinstance(env.action_space, gym.spaces.Box)
    low, high = env.action_space.low, env.action_space.high
    scale = noise * (high - low) / 2
    seed = int(rng.integers(2**31))
    obs, info = env.reset(seed=seed)
    observations, states, steps, ended = [obs], [info.get(STATE)], [], False
    while not ended:
        if policy is None:
            action = rng.uniform(low, high)
        else:
            state = obs if states[-1] is None else states[-1]
            action = np.clip(policy(state) + scale * rng.standard_normal(low.shape), low, high)
        action = action.astype(np.float32)
        obs, reward, terminated, truncated, info = env.step(action)
        observations.append(obs)
        states.append(info.get(STATE))
        steps.append((action, float(reward), terminated, truncated))
        ended = terminated or truncated
    actions, *columns = zip(*steps, strict=True)
    rewards, terminations, truncations = map(np.array, columns)
    return Episode(
        seed, np.stack(observations), np.stack(actions), rewards, terminations, truncations, state_infos(states)
    )


def state_infos(states: Sequence[NDArray[np.float64] | None]) -> dict[str, NDArray[np.float64]] | None:
    """The states `[T+1, state_dim]` of an episode that was seen; None where the observations are numbers already."""
    known = [state for state in states if state is not None]
    return {STATE: np.stack(known)} if known else None


def mean_return(
    env: gym.Env[Any, Any], policy: LinearPolicy | None, noise: float, *, episodes: int, seed: int
) -> float:
    """Mean undiscounted return of `rollout` over `episodes` episodes."""
    rng = np.random.default_rng(seed)
    return float(np.mean([rollout(env, policy, noise, rng).rewards.sum() for _ in range(episodes)]))
