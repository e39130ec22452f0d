"""Steps to learn from: every observation is kept once, and n-step rows are made when they are sampled."""

from collections.abc import Sequence

import torch
from torch import Tensor

from diffsr_hub.errors import UserError
from diffsr_hub.transitions import Transitions
from finetune.learning.batch import Batch, Scale
from finetune.learning.last_observations import LastObservations
from finetune.learning.n_step import GOES_ON, TRUNCATED, n_step


class Replay:
    """A ring of the newest steps of environments that are stepped together, sampled uniformly with replacement.

    Slot k mod S holds step number k of every environment: its observation is also the next one of the step before. Only
    the observation after the last step of an episode is kept apart. A step can be sampled as soon as its n-step return
    is known. The first n slots are there a second time behind the last one, so that no window of steps has to wrap.

    Args:
        capacity: Number of steps kept, of all environments together.
        obs_dim: Size of an observation.
        action_dim: Size of an action.
        num_envs: Number E of environments.
        n: Rewards in a return.
        discount: γ.
        device: Where the steps are kept and batches are made.

    Raises:
        UserError: So many steps do not fit into memory.
    """

    def __init__(
        self,
        capacity: int,
        obs_dim: int,
        action_dim: int,
        *,
        num_envs: int = 1,
        n: int = 1,
        discount: float = 0.99,
        device: torch.device | str = "cpu",
    ) -> None:
        self.kept, self.n, self.discount, self.num_envs = max(1, capacity // num_envs), n, discount, num_envs
        self.slots = self.kept + n  # those whose return is not known yet, and the newest observation, have a place too
        places = (self.slots + n + 1, num_envs)
        try:
            self.obs = torch.zeros(*places, obs_dim, device=device)
            self.outcome = torch.zeros(*places, action_dim + 2, device=device)
            """action, reward and end of each step, side by side"""
        except RuntimeError as error:
            raise UserError(
                f"a replay buffer of {capacity:,} transitions has no place in memory; lower --capacity"
            ) from error
        self.after_ends = LastObservations(obs_dim, device)
        self.added = 0
        """steps of each environment so far"""
        self.known = [0] * num_envs
        """of each environment, how many of its first steps have n-step returns that are known"""

    def __len__(self) -> int:
        return sum(min(known, self.kept) for known in self.known)

    @property
    def nbytes(self) -> int:
        """Memory of all that is kept, in bytes."""
        return self.obs.nbytes + self.outcome.nbytes + self.after_ends.nbytes

    def add(self, steps: Transitions, ended: Tensor) -> None:
        """Append a step of every environment, `[E, …]`; the oldest makes room.

        Args:
            steps: In the order of the environments; `obs` is `next_obs` of the step before where no episode ended.
            ended: `[E]`, bool, whether an episode ended with it, by termination or truncation.
        """
        end = (ended.float() + steps.terminated.float()).unsqueeze(-1)
        outcome = torch.cat([steps.action, steps.reward.unsqueeze(-1), end], dim=-1)
        for slot in self._places(self.added):
            self.obs[slot], self.outcome[slot] = steps.obs, outcome
        self.added += 1
        for slot in self._places(self.added):
            self.obs[slot] = steps.next_obs
        self._note_ends(ended.nonzero().squeeze(1).tolist())

    def truncate(self, env: int) -> None:
        """End the episode of an environment with its newest step, as it will not go on."""
        places = self._places(self.added - 1)
        if self.added and self.outcome[places[0], env, -1] == GOES_ON:
            for slot in places:
                self.outcome[slot, env, -1] = TRUNCATED
            self._note_ends([env])

    def sample(self, size: int, generator: torch.Generator) -> Batch:
        """`[size]` transitions with their n-step returns."""
        return self.rows(torch.randint(len(self), (size,), generator=generator, device=self.obs.device))

    def all(self) -> Batch:
        """Everything that can be sampled."""
        return self.rows(torch.arange(len(self), device=self.obs.device))

    def rows(self, index: Tensor) -> Batch:
        """The transitions of some numbers `[B]` below `len(self)`: a kept step has the same number as long as it is."""
        number = self._numbers(index)
        place = number % (self.slots * self.num_envs)
        obs = self._windows(self.obs, self.n + 1).index_select(0, place)
        outcome = self._windows(self.outcome, self.n).index_select(0, place)
        end = outcome[..., -1]
        returns = n_step(outcome[..., -2], end, self.discount)
        next_obs, bootstrap_obs = obs[:, 1], obs[:, self.n]
        if end.any():
            next_obs = self._with_last(next_obs, end[:, 0], number)
            bootstrap_obs = obs[torch.arange(len(index), device=index.device), returns.last + 1]
            bootstrap_obs = self._with_last(bootstrap_obs, returns.end, number + returns.last * self.num_envs)
        return Batch(
            obs=obs[:, 0],
            action=outcome[:, 0, :-2],
            reward=outcome[:, 0, -2],
            next_obs=next_obs,
            n_step_return=returns.n_step_return,
            bootstrap_obs=bootstrap_obs,
            bootstrap_discount=returns.bootstrap_discount,
        )

    def scale(self) -> Scale:
        """Of all that can be sampled."""
        number = self._numbers(torch.arange(len(self), device=self.obs.device))
        place = number % (self.slots * self.num_envs)
        obs, outcome = (column.flatten(0, 1).index_select(0, place) for column in (self.obs, self.outcome))
        return Scale(outcome[:, -2].abs().mean(), obs.mean(0), obs.std(0, correction=0))

    def since(self, first: int) -> dict[str, Tensor | int]:
        """What `extend` needs to add the steps since number `first`, as far as they are kept."""
        first = max(first, self.added - self.slots)
        slots = torch.arange(first, self.added, device=self.obs.device) % self.slots
        numbers, after_ends = self.after_ends.since((first - 1) * self.num_envs)
        return {
            "first": first,
            "before": self.outcome[(first - 1) % self.slots],  # its end may have been changed since it was saved
            "obs": self.obs[slots],
            "next_obs": self.obs[self.added % self.slots],
            "outcome": self.outcome[slots],
            "numbers": numbers,
            "after_ends": after_ends,
            "known": torch.tensor(self.known),
        }

    def extend(self, part: dict[str, Tensor | int]) -> None:
        """Add steps as `since` gave them, to a buffer that has those before, or none of the kept ones."""
        given = {name: value for name, value in part.items() if isinstance(value, Tensor)}
        self.known = given.pop("known").tolist()
        tensors = {name: value.to(self.obs.device) for name, value in given.items()}
        first = int(part["first"])
        self.added = first + len(tensors["obs"])
        newest = torch.arange(max(first, self.added - self.slots), self.added, device=self.obs.device)
        self.obs[newest % self.slots] = tensors["obs"][newest - first]
        self.outcome[newest % self.slots] = tensors["outcome"][newest - first]
        self.obs[self.added % self.slots] = tensors["next_obs"]
        self.outcome[(first - 1) % self.slots] = tensors["before"]
        for column in (self.obs, self.outcome):
            column[self.slots :] = column[: self.n + 1]
        self.after_ends.drop_from((first - 1) * self.num_envs)
        self.after_ends.add(tensors["numbers"], tensors["after_ends"])

    def _places(self, step: int) -> tuple[int, ...]:
        """The slot of a step, and where it is there a second time."""
        slot = step % self.slots
        return (slot, slot + self.slots) if slot <= self.n else (slot,)

    def _windows(self, column: Tensor, length: int) -> Tensor:
        """A view of a column, `[places, length, …]`: each place, and those of the next steps in its environment."""
        places, width = (self.slots + 1) * self.num_envs, column.shape[-1]
        return column.as_strided((places, length, width), (width, self.num_envs * width, 1))

    def _note_ends(self, ended: Sequence[int]) -> None:
        """Take note of the environments whose episodes ended with the newest step, and of what can be sampled now."""
        newest = self.added - 1
        self.known = [
            self.added if env in ended else max(known, self.added - self.n + 1) for env, known in enumerate(self.known)
        ]
        if ended:
            envs = torch.tensor(ended, device=self.obs.device)
            self.after_ends.add(newest * self.num_envs + envs, self.obs[self.added % self.slots, envs])
            self.after_ends.drop_before((self.added - self.slots) * self.num_envs)

    def _numbers(self, index: Tensor) -> Tensor:
        """The number of each row's step among those of all environments, `[B]`: k E + e for step k of environment e."""
        if self.num_envs == 1:
            return self._newest(index, self.known[0]) if self.known[0] > self.kept else index
        known = torch.tensor(self.known, device=index.device)
        kept = known.clamp(max=self.kept)
        ends = kept.cumsum(0)
        env = torch.bucketize(index, ends, right=True)
        return self._newest(index - (ends - kept)[env], known[env]) * self.num_envs + env

    def _newest(self, index: Tensor, known: Tensor | int) -> Tensor:
        """Of the steps whose number is `index` modulo the capacity, the newest that is known."""
        return known - 1 - (known - 1 - index) % self.kept

    def _with_last(self, obs: Tensor, end: Tensor, number: Tensor) -> Tensor:
        """Observations after steps, `[B, obs_dim]`: those that no next step begins with come from where they are kept.

        Args:
            obs: `[B, obs_dim]`, of the slots after those of the steps.
            end: `[B]`, how each step leaves its episode.
            number: `[B]`, of the steps.
        """
        ended = end.nonzero().squeeze(1)
        if not len(ended):
            return obs
        return obs.index_copy(0, ended, self.after_ends.find(number.index_select(0, ended)))
