"""Minari datasets as rows of a replay buffer, worth what the online task pays for them."""

from collections.abc import Callable

from diffsr_hub.data import Episodes, load, resolve
from diffsr_hub.errors import UserError
from finetune.config import FinetuneConfig
from finetune.n_step import n_step
from finetune.replay import Replay
from finetune.tasks import TASKS, relabel


def load_offline(config: FinetuneConfig, obs_dim: int, action_dim: int, say: Callable[[str], None]) -> Replay:
    """All transitions of `config.offline_dataset`, with the rewards and ends of the task where those are known.

    Args:
        config: Of the run.
        obs_dim: Size of the environment's observations.
        action_dim: Size of its actions.
        say: Told what is downloaded, and whose rewards there are.

    Raises:
        UserError: A dataset is missing, or of another robot.
    """
    resolution = resolve(config.datasets, download=config.download, say=say)
    episodes = load(resolution.ids)
    if (episodes.obs_dim, episodes.action_dim) != (obs_dim, action_dim):
        raise UserError(
            f"{config.offline_dataset} has observations of {episodes.obs_dim} and actions of {episodes.action_dim} "
            f"numbers, {config.env} has {obs_dim} and {action_dim}"
        )
    if config.env not in TASKS and episodes.env_id not in (None, config.env):
        say(f"{config.offline_dataset} keeps the rewards of {episodes.env_id}: those of {config.env} are not known")
    return _fill(episodes, config)


def _fill(episodes: Episodes, config: FinetuneConfig) -> Replay:
    replay = Replay(episodes.num_transitions, episodes.obs_dim, episodes.action_dim)
    for i in range(episodes.num_episodes):
        episode = episodes.episode(i)
        if config.env in TASKS:
            episode = relabel(config.env, episode)
        replay.add(n_step(episode, config.n_step, config.discount))
    return replay
