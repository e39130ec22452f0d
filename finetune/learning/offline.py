"""Minari datasets as rows of a replay buffer, worth what the online task pays for them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

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
from diffsr_hub.transitions import Transitions
from finetune.config import FinetuneConfig
from finetune.learning.n_step import n_step
from finetune.learning.replay import Replay


class OfflineData(NamedTuple):
    """What is mixed into the batches."""

    everything: Replay
    examples: Replay | None = None
    """the successes in it, where these are imitated; else it is decided in every batch what is"""

    def sample(self, size: int, generator: torch.Generator) -> tuple[Tensor, int]:
        """Rows `[size, …]`, and how many of the last ones may be imitated."""
        if self.examples is None:
            return self.everything.sample(size, generator), size
        shown = size // 2
        parts = (self.everything.sample(size - shown, generator), self.examples.sample(shown, generator))
        return torch.cat(parts), shown


def load_offline(
    config: FinetuneConfig,
    obs_dim: int,
    action_dim: int,
    say: Callable[[str], None],
    bounds: tuple[list[float], list[float]] | None = None,
    obs_parts: Mapping[str, int] | None = None,
) -> OfflineData:
    """All transitions of `config.offline_dataset`, with the rewards and ends of the task where those are known.

    Args:
        config: Of the run.
        obs_dim: Size of the environment's observations.
        action_dim: Size of its actions.
        say: Told what is downloaded, and whose rewards there are.
        bounds: Lowest and highest action of the environment, where the data must have the same.
        obs_parts: Names and sizes of the parts of its observations, where they are nested.

    Raises:
        UserError: A dataset is missing, or of another robot, or of other actions; or no episode is noted as a success
            where these are to be imitated.
    """
    try:
        resolution = resolve(config.datasets, download=config.download, say=say)
    except UserError as error:
        raise UserError(f"{error}{_advice(config.offline_dataset, str(error))}") from error
    episodes = load(resolution.ids)
    if (episodes.obs_dim, episodes.action_dim) != (obs_dim, action_dim):
        raise UserError(
            f"{config.offline_dataset} has observations of {episodes.obs_dim} and actions of {episodes.action_dim} "
            f"numbers, {config.env} has {obs_dim} and {action_dim}"
        )
    if difference := parts_difference(episodes.obs_parts, obs_parts or {}):
        raise UserError(
            f"the observations of {config.offline_dataset} are {difference[0]}, those of {config.env} {difference[1]}"
        )
    low, high = episodes.action_low, episodes.action_high
    found = None if low is None or high is None else (low, high)
    if bounds is not None and (found is None or not np.allclose(found, bounds, rtol=1e-5)):
        other = "are discrete" if found is None else f"are from {found[0]} to {found[1]}"
        raise UserError(
            f"the actions of {config.offline_dataset} {other}, those of {config.env} from {bounds[0]} to {bounds[1]}"
        )
    pays, own = rewards(config.env), registered(config.env)
    if pays is not None:
        _check_source(episodes, config.env, pays)
    elif others := sorted({env for env in map(_env_id, episodes.provenance) if env not in (None, own)}):
        say(f"{config.offline_dataset} keeps the rewards of {', '.join(others)}: those of {config.env} are not known")
    everything = _fill(episodes, range(episodes.num_episodes), config)
    if config.imitate == "better":
        return OfflineData(everything)
    return OfflineData(everything, _fill(episodes, _solved(episodes, resolution.ids, config), config))


def _advice(words: str, error: str) -> str:
    """How to make a dataset that is missing; of several it is not known which one is."""
    word = words.strip().rstrip("/")
    namespace = word.rpartition("/")[0]
    name = namespace if word == bundled(namespace) else word
    return f"; to make one: diffsr collect {name}" if can_collect(name) and "diffsr collect" not in error else ""


def _solved(episodes: Episodes, ids: Sequence[str], config: FinetuneConfig) -> list[int]:
    """The episodes that are a success in the task; those of another task are none, whatever they were there."""
    noted, found, first = successes(ids), [], 0
    for dataset in episodes.provenance:
        numbers = range(first, first + dataset["total_episodes"])
        found += [i for i in numbers if noted[i] and _env_id(dataset) in (None, registered(config.env))]
        first = numbers.stop
    if not found:
        raise UserError(
            f"{config.offline_dataset} notes no episode as a success in {config.env} (success: true in its metadata or "
            "in the infos of a step): --imitate better needs none"
        )
    return found


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


def _fill(episodes: Episodes, chosen: Sequence[int], config: FinetuneConfig) -> Replay:
    replay = Replay(int(episodes.lengths[list(chosen)].sum()), episodes.obs_dim, episodes.action_dim)
    pays = rewards(config.env)
    for i in chosen:
        episode = episodes.episode(i)
        if pays is not None:
            episode = pays.relabel(episode)
        for part in _until_terminated(episode):
            replay.add(n_step(part, config.n_step, config.discount))
    return replay


def _until_terminated(episode: Transitions) -> Iterator[Transitions]:
    """An episode `[T, …]` in parts that end where it terminates: for another task that may be before its end."""
    ends = (episode.terminated.nonzero().squeeze(-1) + 1).tolist()
    for first, last in pairwise([0, *ends, len(episode.reward)]):
        if first < last:
            yield Transitions(*(column[first:last] for column in episode))
