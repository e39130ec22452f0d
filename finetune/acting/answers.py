"""What an environment answers to `reset` and `step`, as the types that everything here counts on, or one line.

Gymnasium looks at an environment's first answers only, and warns. Here each one is looked at: a reward is a number, an
end a flag, an observation an element of its space's shape and type, in training, in evaluation and in films alike.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from diffsr_hub.errors import UserError, on_one_line, plain

SEEDS = 2**31
"""how many seeds there are for `reset`, from 0: some environments keep theirs in 32 bits with a sign"""
STEP, RESET = ("observation", "reward", "terminated", "truncated", "info"), ("observation", "info")


class Answers(gym.Wrapper[NDArray[Any], NDArray[Any], Any, Any]):
    """An environment whose answers can be relied on.

    Args:
        env: Its observations are of a Box.
    """

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        """Begin an episode.

        No options are None, also where Gymnasium's vector of environments makes them an empty dict of its own options.

        Raises:
            UserError: The environment raised, or its answer cannot be used.
        """
        with failures():
            answer = self.env.reset(seed=seed, options=options or None)
        obs, info = _parts(answer, RESET)
        return self._observation(obs), _info(info)

    def step(self, action: NDArray[Any]) -> tuple[NDArray[Any], float, bool, bool, dict[str, Any]]:
        """Go one step.

        Raises:
            UserError: The environment raised, or its answer cannot be used.
        """
        with failures():
            answer = self.env.step(action)
        obs, reward, terminated, truncated, info = _parts(answer, STEP)
        ends = _flag("terminated", terminated), _flag("truncated", truncated)
        return self._observation(obs), _number(reward), *ends, _info(info)

    def _observation(self, answer: Any) -> NDArray[Any]:
        """The observation as an array of its space's type; a fraction is none of a space of integers."""
        space, array = self.observation_space, _array(answer)
        if array is None or array.shape != space.shape:
            raise _unusable("observation", answer, f"numbers of the shape {space.shape}")
        check_finite(array)
        found = array.astype(space.dtype, copy=False)
        if np.issubdtype(found.dtype, np.integer) and not np.array_equal(found, array):
            raise _unusable("observation", answer, f"numbers of the type {space.dtype}")
        return found


@contextmanager
def failures() -> Iterator[None]:
    """Around calls of an environment: whatever it raises becomes one line.

    Raises:
        UserError: in place of that.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"the environment raised {type(error).__name__}: {on_one_line(error)}") from error


def check_finite(*numbers: Any) -> None:
    """Refuse what an environment gave, arrays of any shapes, if a learner could not use it in single precision.

    Raises:
        UserError: There is NaN or infinity in it.
    """
    with np.errstate(over="ignore"):
        finite = all(np.isfinite(np.asarray(array, np.float32)).all() for array in numbers)
    if not finite:
        raise UserError("the environment gave an observation or a reward that is NaN or infinite")


def _parts(answer: Any, names: tuple[str, ...]) -> tuple[Any, ...]:
    if not isinstance(answer, tuple) or len(answer) != len(names):
        given = f"{len(answer)} of them" if isinstance(answer, tuple) else plain(type(answer).__name__)
        raise UserError(f"the environment must answer with ({', '.join(names)}), as Gymnasium's do, not with {given}")
    return answer


def _number(reward: Any) -> float:
    if not isinstance(reward, float):
        array = _array(reward)
        if array is None or array.size != 1:
            raise _unusable("reward", reward, "one number")
        reward = array.item()
    check_finite(reward)
    return float(reward)


def _flag(name: str, value: Any) -> bool:
    if isinstance(value, bool | np.bool_):
        return bool(value)
    array = _array(value)
    if array is None or array.size != 1 or array.item() not in (0, 1):
        raise _unusable(f"flag {name!r}", value, "true or false")
    return bool(array.item())


def _info(info: Any) -> dict[str, Any]:
    if not isinstance(info, dict):
        raise _unusable("info", info, "a dictionary")
    return info


def _array(value: Any) -> NDArray[Any] | None:
    """Numbers, also of a list or of a tensor; None for anything else."""
    try:
        array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
    except ValueError:  # lists of unequal lengths
        return None
    return array if array.dtype.kind in "biuf" else None


def _unusable(what: str, answer: Any, right: str) -> UserError:
    return UserError(f"the environment gave {plain(repr(answer))[:80]} as its {what}, which must be {right}")
