"""The observations after the last steps of episodes, which no next step begins with."""

import torch
from torch import Tensor


class LastObservations:
    """A queue of observations by the number of the step that led to them; numbers only grow.

    Args:
        obs_dim: Size of an observation.
        device: Where they are kept.
    """

    def __init__(self, obs_dim: int, device: torch.device | str = "cpu") -> None:
        self._numbers = torch.zeros(0, dtype=torch.long, device=device)
        self._obs = torch.zeros(0, obs_dim, device=device)
        self._first, self._end = 0, 0

    @property
    def nbytes(self) -> int:
        """Memory in bytes."""
        return self._numbers.nbytes + self._obs.nbytes

    def add(self, numbers: Tensor, obs: Tensor) -> None:
        """Append observations `[B, obs_dim]` of steps `[B]`, in ascending order."""
        if self._end + len(numbers) > len(self._numbers):
            self._make_room(len(numbers))
        self._numbers[self._end : self._end + len(numbers)] = numbers
        self._obs[self._end : self._end + len(numbers)] = obs
        self._end += len(numbers)

    def find(self, numbers: Tensor) -> Tensor:
        """The observations `[B, obs_dim]` of steps `[B]` that were added."""
        place = torch.searchsorted(self._numbers[self._first : self._end], numbers)
        return self._obs[self._first + place]

    def since(self, number: int) -> tuple[Tensor, Tensor]:
        """Numbers and observations of the steps from some number on."""
        first = self._place(number)
        return self._numbers[first : self._end].clone(), self._obs[first : self._end].clone()

    def drop_before(self, number: int) -> None:
        """Forget the steps before some number."""
        self._first = self._place(number)

    def drop_from(self, number: int) -> None:
        """Forget the steps from some number on."""
        self._end = self._place(number)

    def _place(self, number: int) -> int:
        kept = self._numbers[self._first : self._end]
        return self._first + int(torch.searchsorted(kept, torch.tensor(number, device=kept.device)))

    def _make_room(self, more: int) -> None:
        """Move what is kept into memory of twice its size."""
        kept = slice(self._first, self._end)
        size = 2 * (self._end - self._first + more)
        numbers, obs = self._numbers[kept], self._obs[kept]
        self._numbers = numbers.new_zeros(size)
        self._obs = obs.new_zeros(size, obs.shape[1])
        self._first, self._end = 0, len(numbers)
        self._numbers[: self._end], self._obs[: self._end] = numbers, obs
