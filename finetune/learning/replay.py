"""Steps to learn from: every observation is kept once, and n-step rows are made when they are sampled."""

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
    is known.

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
        shape = (self.slots, num_envs)
        try:
            self.obs = torch.zeros(*shape, obs_dim, device=device)
            self.action = torch.zeros(*shape, action_dim, device=device)
            self.reward = torch.zeros(shape, device=device)
            self.end = torch.zeros(shape, dtype=torch.uint8, device=device)
        except RuntimeError as error:
            raise UserError(
                f"a replay buffer of {capacity:,} transitions has no place in memory; lower --capacity"
            ) from error
        self.after_ends = LastObservations(obs_dim, device)
        self.added = 0
        """steps of each environment so far"""
        self.known = torch.zeros(num_envs, dtype=torch.long, device=device)
        """`[E]`, the first steps of each environment whose n-step returns are known"""

    def __len__(self) -> int:
        return int(self.known.clamp(max=self.kept).sum())

    @property
    def nbytes(self) -> int:
        """Memory of all that is kept, in bytes."""
        return sum(t.nbytes for t in (self.obs, self.action, self.reward, self.end)) + self.after_ends.nbytes

    def add(self, steps: Transitions, ended: Tensor) -> None:
        """Append a step of every environment, `[E, …]`; the oldest makes room.

        Args:
            steps: In the order of the environments; `obs` is `next_obs` of the step before where no episode ended.
            ended: `[E]`, bool, whether an episode ended with it, by termination or truncation.
        """
        slot = self.added % self.slots
        self.obs[slot], self.obs[(slot + 1) % self.slots] = steps.obs, steps.next_obs
        self.action[slot], self.reward[slot] = steps.action, steps.reward
        self.end[slot] = ended.to(torch.uint8) + steps.terminated.to(torch.uint8)
        self.added += 1
        self._note_ends(ended.to(self.known.device))

    def truncate(self, env: int) -> None:
        """End the episode of an environment with its newest step, as it will not go on."""
        slot = (self.added - 1) % self.slots
        if self.added and self.end[slot, env] == GOES_ON:
            self.end[slot, env] = TRUNCATED
            self._note_ends(torch.arange(self.num_envs, device=self.known.device) == env)

    def sample(self, size: int, generator: torch.Generator) -> Batch:
        """`[size]` transitions with their n-step returns."""
        return self.rows(torch.randint(len(self), (size,), generator=generator, device=self.known.device))

    def all(self) -> Batch:
        """Everything that can be sampled."""
        return self.rows(torch.arange(len(self), device=self.known.device))

    def rows(self, index: Tensor) -> Batch:
        """The transitions of some numbers `[B]` below `len(self)`: a kept step has the same number as long as it is."""
        step, env = self._steps(index)
        window = step.unsqueeze(1) + torch.arange(self.n, device=step.device)
        places = window % self.slots * self.num_envs + env.unsqueeze(1)
        returns = n_step(self.reward.view(-1)[places], self.end.view(-1)[places], self.discount)
        first = places[:, 0]
        return Batch(
            obs=self.obs.flatten(0, 1).index_select(0, first),
            action=self.action.flatten(0, 1).index_select(0, first),
            reward=self.reward.view(-1)[first],
            next_obs=self._after(step, env),
            n_step_return=returns.n_step_return,
            bootstrap_obs=self._after(step + returns.last, env),
            bootstrap_discount=returns.bootstrap_discount,
        )

    def scale(self) -> Scale:
        """Of all that can be sampled."""
        step, env = self._steps(torch.arange(len(self), device=self.known.device))
        places = step % self.slots * self.num_envs + env
        obs = self.obs.flatten(0, 1).index_select(0, places)
        return Scale(self.reward.view(-1)[places].abs().mean(), obs.mean(0), obs.std(0, correction=0))

    def since(self, first: int) -> dict[str, Tensor | int]:
        """What `extend` needs to add the steps since number `first`, as far as they are kept."""
        first = max(first, self.added - self.slots)
        slots = torch.arange(first, self.added) % self.slots
        numbers, after_ends = self.after_ends.since((first - 1) * self.num_envs)
        return {
            "first": first,
            "end_before": self.end[(first - 1) % self.slots],  # which `truncate` may have changed since it was saved
            "obs": self.obs[slots],
            "next_obs": self.obs[self.added % self.slots],
            "action": self.action[slots],
            "reward": self.reward[slots],
            "end": self.end[slots],
            "numbers": numbers,
            "after_ends": after_ends,
            "known": self.known,
        }

    def extend(self, part: dict[str, Tensor | int]) -> None:
        """Add steps as `since` gave them, to a buffer that has those before, or none of the kept ones."""
        tensors = {name: value for name, value in part.items() if isinstance(value, Tensor)}
        first = int(part["first"])
        self.added = first + len(tensors["obs"])
        newest = torch.arange(max(first, self.added - self.slots), self.added)
        for name, column in (("obs", self.obs), ("action", self.action), ("reward", self.reward), ("end", self.end)):
            column[newest % self.slots] = tensors[name][newest - first].to(column.device)
        self.obs[self.added % self.slots] = tensors["next_obs"].to(self.obs.device)
        self.end[(first - 1) % self.slots] = tensors["end_before"].to(self.end.device)
        self.after_ends.drop_from((first - 1) * self.num_envs)
        self.after_ends.add(tensors["numbers"], tensors["after_ends"])
        self.known.copy_(tensors["known"])

    def _note_ends(self, ended: Tensor) -> None:
        """Take note of the episodes that ended with the newest step, `[E]` bool, and of what can be sampled now."""
        newest = self.added - 1
        self.known = torch.where(ended, self.added, self.known.clamp(min=self.added - self.n + 1))
        if ended.any():
            envs = ended.nonzero().squeeze(1)
            self.after_ends.add(newest * self.num_envs + envs, self.obs[self.added % self.slots, envs])
            self.after_ends.drop_before((self.added - self.slots) * self.num_envs)

    def _steps(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Number of the step and environment of each row, `[B]`."""
        kept = self.known.clamp(max=self.kept)
        ends = kept.cumsum(0)
        env = torch.bucketize(index, ends, right=True)
        newest = self.known[env] - 1
        within = index - (ends - kept)[env]
        return newest - (newest - within) % self.kept, env

    def _after(self, step: Tensor, env: Tensor) -> Tensor:
        """The observation that each step led to, `[B, obs_dim]`."""
        obs = self.obs.flatten(0, 1).index_select(0, (step + 1) % self.slots * self.num_envs + env)
        ended = self.end.view(-1)[step % self.slots * self.num_envs + env] != GOES_ON
        if ended.any():
            obs[ended] = self.after_ends.find((step * self.num_envs + env)[ended])
        return obs
