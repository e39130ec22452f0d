"""Minari datasets to learn from, worth what the online task pays for them; their observations stay on disk."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from diffsr_hub.data import Episodes, load, resolve
from diffsr_hub.data.minari.ids import bundled
from diffsr_hub.data.minari.successes import successes
from diffsr_hub.errors import UserError
from diffsr_hub.model.env_check import parts_difference
from diffsr_hub.suites.env_ids import registered
from diffsr_hub.suites.known import can_collect, rewards
from diffsr_hub.suites.suite import Rewards
from finetune.learning.batch import Batch, Scale
from finetune.learning.n_step import GOES_ON, TERMINATED, TRUNCATED, n_step

_CHUNK = 1 << 16
"""transitions that are relabelled at once"""


class OfflineData:
    """The transitions of some episodes; of the data itself only rewards and ends are held in memory.

    Args:
        episodes: The data.
        env_id: The task that is learned; where its rewards are known as a function, they take the place of the data's.
        n: Rewards in a return.
        discount: γ.
        examples: `[M]`, int64, the transitions that are imitated, which then are half of every sample; with None, each
            batch decides which are worth imitating.
        device: Where batches go.
    """

    def __init__(
        self,
        episodes: Episodes,
        env_id: str,
        *,
        n: int,
        discount: float,
        examples: Tensor | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.episodes, self.n, self.discount, self.examples, self.device = episodes, n, discount, examples, device
        reward, terminated = _worth(episodes, rewards(env_id))
        end = torch.full((len(self),), GOES_ON, dtype=torch.uint8)
        end[episodes.starts + episodes.lengths - 1] = TRUNCATED
        end[terminated] = TERMINATED
        self.reward = reward
        # Every window of n steps as a row of a view; those at the end of the data reach into what is never looked at.
        self._rewards, self._ends = (torch.cat([c, c.new_zeros(n - 1)]).unfold(0, n, 1) for c in (reward, end))

    def __len__(self) -> int:
        return self.episodes.num_transitions

    @property
    def provenance(self) -> list[dict[str, Any]]:
        """What the data is, one entry for each dataset."""
        return self.episodes.provenance

    def sample(self, size: int, generator: torch.Generator) -> Batch:
        """`[size]` transitions with their n-step returns, those that may be imitated at the end."""
        shown = size if self.examples is None else size // 2
        index = [self._draw(len(self), size - shown, generator)] if self.examples is not None else []
        of = len(self) if self.examples is None else len(self.examples)
        drawn = self._draw(of, shown, generator)
        index.append(drawn if self.examples is None else self.examples[drawn])
        return self.rows(torch.cat(index))._replace(imitated=shown)

    def rows(self, index: Tensor) -> Batch:
        """The transitions of some numbers `[B]`, in the order of the data."""
        reward, end = self._rewards.index_select(0, index), self._ends.index_select(0, index)
        returns = n_step(reward, end, self.discount)
        ahead = torch.stack([torch.zeros_like(index), torch.ones_like(index), returns.last + 1], dim=1)
        obs, action = self.episodes.observations(index, ahead)
        return Batch(
            obs=obs[:, 0],
            action=action,
            reward=reward[:, 0],
            next_obs=obs[:, 1],
            n_step_return=returns.n_step_return,
            bootstrap_obs=obs[:, 2],
            bootstrap_discount=returns.bootstrap_discount,
        ).map(lambda column: column.to(self.device))

    def scale(self) -> Scale:
        """Of all of it; the observations of every task weigh the same."""
        moments = self.episodes.moments(torch.arange(self.episodes.num_episodes))
        return Scale(self.reward.abs().mean(), moments.obs_mean, moments.obs_std)

    @staticmethod
    def _draw(most: int, size: int, generator: torch.Generator) -> Tensor:
        return torch.randint(most, (size,), generator=generator, device=generator.device).cpu()


def load_offline(
    names: Sequence[str],
    env_id: str,
    *,
    sizes: tuple[int, int],
    bounds: tuple[Sequence[float], Sequence[float]] | None = None,
    obs_parts: Mapping[str, int] | None = None,
    n: int,
    discount: float,
    only_successes: bool = False,
    download: bool = True,
    device: torch.device | str = "cpu",
    say: Callable[[str], None] = print,
) -> OfflineData:
    """All transitions of datasets, with the rewards and ends of the task where those are known.

    Args:
        names: Ids and namespaces of datasets.
        env_id: The task that is learned.
        sizes: Of its observations and of its actions.
        bounds: Lowest and highest action of the environment, where the data must have the same.
        obs_parts: Names and sizes of the parts of its observations, where they are nested.
        n: Rewards in a return.
        discount: γ.
        only_successes: Whether the transitions of all episodes that are noted as successes are to be imitated.
        download: Whether Minari's remote may be asked.
        device: Where batches go.
        say: Told what is downloaded, and whose rewards there are.

    Raises:
        UserError: A dataset is missing, or of another robot, or of other actions; or no episode is noted as a success
            where these are to be imitated.
    """
    named = ",".join(names)
    try:
        resolution = resolve(names, download=download, say=say)
    except UserError as error:
        raise UserError(f"{error}{_advice(named, str(error))}") from error
    episodes = load(resolution.ids)
    _check_fits(episodes, named, env_id, sizes, obs_parts or {}, bounds)
    pays, own = rewards(env_id), registered(env_id)
    if pays is not None:
        _check_source(episodes, env_id, pays)
    elif others := sorted({env for env in map(_env_id, episodes.provenance) if env not in (None, own)}):
        say(f"{named} keeps the rewards of {', '.join(others)}: those of {env_id} are not known")
    examples = episodes.indices(_solved(episodes, resolution.ids, named, env_id)) if only_successes else None
    return OfflineData(episodes, env_id, n=n, discount=discount, examples=examples, device=device)


def _check_fits(
    episodes: Episodes,
    named: str,
    env_id: str,
    sizes: tuple[int, int],
    obs_parts: Mapping[str, int],
    bounds: tuple[Sequence[float], Sequence[float]] | None,
) -> None:
    if (episodes.obs_dim, episodes.action_dim) != sizes:
        raise UserError(
            f"{named} has observations of {episodes.obs_dim} and actions of {episodes.action_dim} "
            f"numbers, {env_id} has {sizes[0]} and {sizes[1]}"
        )
    if difference := parts_difference(episodes.obs_parts, obs_parts):
        raise UserError(f"the observations of {named} are {difference[0]}, those of {env_id} {difference[1]}")
    low, high = episodes.action_low, episodes.action_high
    found = None if low is None or high is None else (low, high)
    if bounds is not None and (found is None or not np.allclose(found, bounds, rtol=1e-5)):
        other = "are discrete" if found is None else f"are from {found[0]} to {found[1]}"
        raise UserError(f"the actions of {named} {other}, those of {env_id} from {bounds[0]} to {bounds[1]}")


def _advice(named: str, error: str) -> str:
    """How to make a dataset that is missing; of several it is not known which one is."""
    word = named.strip().rstrip("/")
    namespace = word.rpartition("/")[0]
    name = namespace if word == bundled(namespace) else word
    return f"; to make one: diffsr collect {name}" if can_collect(name) and "diffsr collect" not in error else ""


def _worth(episodes: Episodes, pays: Rewards | None) -> tuple[Tensor, Tensor]:
    """Rewards `[N]` and whether each transition terminated, `[N]`, as the task has them."""
    if pays is None:
        return episodes.reward, episodes.terminated
    chunks = torch.arange(episodes.num_transitions).split(_CHUNK)
    worth = [pays.relabel(episodes.transitions(index)) for index in chunks]
    return torch.cat([part.reward for part in worth]), torch.cat([part.terminated for part in worth])


def _solved(episodes: Episodes, ids: Sequence[str], named: str, env_id: str) -> Tensor:
    """The episodes that are a success in the task; those of another task are none, whatever they were there."""
    noted, found, first = successes(ids), [], 0
    for dataset in episodes.provenance:
        numbers = range(first, first + dataset["total_episodes"])
        found += [i for i in numbers if noted[i] and _env_id(dataset) in (None, registered(env_id))]
        first = numbers.stop
    if not found:
        raise UserError(
            f"{named} notes no episode as a success in {env_id} (success: true in its metadata or "
            "in the infos of a step): --imitate better needs none"
        )
    return torch.tensor(found)


def _env_id(dataset: dict[str, Any]) -> str | None:
    """The environment of a dataset's provenance, where it is known."""
    spec: dict[str, str] = dataset["env_spec"] or {}
    return registered(spec["id"]) if "id" in spec else None


def _check_source(episodes: Episodes, env_id: str, pays: Rewards) -> None:
    """Refuse data of another robot, whose sizes and bounds may be the same."""
    for dataset in episodes.provenance:
        found = _env_id(dataset)
        if found is not None and not pays.accepts(found):
            raise UserError(
                f"{dataset['id']} is of {found}, and {env_id} has rewards for data of {pays.source} only: leave it out"
            )
