"""Algorithm 2 from the command line: an encoder and an environment in, an agent out.

Start it as `python finetune/train.py --encoder FOLDER_OR_REPO --env Hopper-v5`, or as `diffsr finetune`.
"""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

if not __package__:
    # Run as a script: import from the checkout, not from this folder.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import torch

from diffsr_hub.errors import UserError, exit_codes
from diffsr_hub.files.atomic import write_json
from diffsr_hub.runs.device import choose_device, hardware
from finetune.acting.environments import make
from finetune.acting.evaluation import check_episodes, evaluate
from finetune.acting.interaction import Interaction
from finetune.acting.video import record
from finetune.agent.agent import Agent
from finetune.agent.config import PolicyAndCritics
from finetune.agent.fresh_agent import fresh_agent
from finetune.config import SCRATCH, FinetuneConfig
from finetune.learning.batches import BatchConfig, Batches
from finetune.learning.diffsr_learner import DiffSRLearner, LearnerConfig
from finetune.learning.offline import OfflineData, load_offline
from finetune.learning.replay import Replay
from finetune.running.encoder_source import EncoderSource
from finetune.running.export import export
from finetune.running.provenance import facts, sources
from finetune.running.record import Record
from finetune.running.run_folder import RunFolder
from finetune.running.saving import Saving, stored_state
from finetune.running.training import Training
from finetune.schedule import Schedule

DESCRIPTION = """Learn online on top of a pretrained encoder, or from scratch (Algorithm 2 of arXiv 2406.16121).
Exports runs/NAME/agent, a folder that Agent.from_pretrained loads and that can be shared as it is."""
EVALUATION_SEED = 1_000_000
"""far from the seeds that users give to training; the same for every run, so that runs are compared on equal starts"""
Say = Callable[[str], None]


class Run(NamedTuple):
    """Everything that a run is made of, before its first step."""

    training: Training
    state: dict[str, Any] | None
    """of the checkpoint that it goes on from; None for a new one"""
    sources: dict[str, Any]
    """encoder and offline data, as they were loaded"""


def compose(
    config: FinetuneConfig, folder: RunFolder, say: Say = print, *, kind: type[DiffSRLearner] = DiffSRLearner
) -> Run:
    """Build every part of a run from its settings; nothing is written yet.

    Args:
        config: The settings.
        folder: Of the run.
        say: Told what the user should know.
        kind: Class of the learner; ablations give one of their own.

    Raises:
        UserError: The environment, the encoder, the offline data or the checkpoint cannot be had, or do not fit.
    """
    check_episodes(config.env, config.eval_episodes)
    device = choose_device(config.device)
    generator = torch.Generator(device).manual_seed(config.seed)
    resumes = config.resume is not None and folder.checkpoint.is_file()
    state = stored_state(folder, config.total_steps, config.num_envs) if resumes else None
    interaction = Interaction(partial(make, config.env), config.num_envs, seed=config.seed)
    # Only a new run needs its encoder: a checkpoint knows everything of it.
    encoder = (
        None if state or config.encoder == SCRATCH else EncoderSource.find(config.encoder, config.encoder_revision)
    )
    agent = Agent(**state["agent"]) if state else build_agent(config, interaction, encoder)
    learner = build_learner(kind, config, agent.to(device), generator)
    offline = build_offline(config, agent, say) if config.datasets else None
    training = Training(
        learner,
        interaction,
        build_batches(config, agent, offline, generator),
        config.part(Schedule),
        Record(folder, env=config.env, arm=config.label, seed=config.seed),
        Saving(folder, agent.arguments),
        evaluate=partial(evaluate, env_id=config.env, episodes=config.eval_episodes, seed=EVALUATION_SEED),
        to_env=agent.to_env,
        generator=generator,
        say=say,
        shows_progress=config.progress,
    )
    if not training.schedule.learns:
        say(f"nothing will be learned: total_steps is not above learning_starts, {config.learning_starts:,}")
    return Run(training, state, sources(encoder, offline, folder.sources if state else None))


def build_agent(config: FinetuneConfig, interaction: Interaction, encoder: EncoderSource | None) -> Agent:
    """A fresh policy and critics on the encoder, which must fit the environment."""
    pretrained = None if encoder is None else encoder.load(interaction.envs)
    choices = config.part(PolicyAndCritics)
    return fresh_agent(choices, config.env, interaction.envs, pretrained, mode=config.mode, seed=config.seed)


def build_learner(
    kind: type[DiffSRLearner], config: FinetuneConfig, agent: Agent, generator: torch.Generator
) -> DiffSRLearner:
    """The updates; a pretrained ψ stays as it is until the first step, one from scratch has nothing to lose."""
    is_fresh = config.encoder == SCRATCH
    with torch.random.fork_rng():  # the reward's head starts from the run's seed too
        torch.manual_seed(config.seed)
        return kind(
            agent,
            config.part(LearnerConfig),
            learns_representation=config.mode == "finetuned",
            representation_starts=0 if is_fresh else config.warm_start,
            measures_obs=is_fresh,
            generator=generator,
        )


def build_offline(config: FinetuneConfig, agent: Agent, say: Say) -> OfflineData:
    """The transitions that are mixed into the batches, with the rewards of the task."""
    sizes = agent.encoder.arguments
    return load_offline(
        config.datasets,
        config.env,
        sizes=(sizes["obs_dim"], sizes["action_dim"]),
        bounds=(agent.arguments["action_low"], agent.arguments["action_high"]),
        obs_parts=sizes.get("obs_parts"),
        n=config.n_step,
        discount=config.discount,
        only_successes=config.imitate == "successes",
        download=config.download,
        device=agent.device,
        say=say,
    )


def build_batches(
    config: FinetuneConfig, agent: Agent, offline: OfflineData | None, generator: torch.Generator
) -> Batches:
    """An empty replay buffer, no larger than the run is long, beside the offline data."""
    sizes = agent.encoder.arguments
    steps_of_each = -(-config.total_steps // config.num_envs)
    replay = Replay(
        min(config.capacity, steps_of_each * config.num_envs),
        sizes["obs_dim"],
        sizes["action_dim"],
        num_envs=config.num_envs,
        n=config.n_step,
        discount=config.discount,
        device=agent.device,
    )
    return Batches(replay, offline, config.part(BatchConfig), generator)


def run(config: FinetuneConfig) -> Path:
    """Train, and export the agent; returns its folder."""
    torch.set_num_threads(config.threads)
    folder = RunFolder.of(config)
    folder.check(config)
    training, state, made_of = compose(config, folder)  # what does not fit leaves no folder behind
    with folder.in_use(config):
        write_json(folder.sources, made_of)
        training.run(state)
        device = hardware(training.generator.device, config.threads)
        finish(config, folder, training, facts(config, made_of, training.seconds, device))
    last = training.record.evaluations[-1]
    print(f"return: {last['mean_return']:,.1f} ± {last['std_return']:,.1f} over {len(last['returns'])} episodes")
    if "success_rate" in last:
        print(f"success rate: {last['success_rate']:.0%}")
    print(f"agent: {folder.agent.resolve()}")
    print(f'load it: from finetune import Agent; agent = Agent.from_pretrained("{folder.agent}")')
    return folder.agent


def finish(config: FinetuneConfig, folder: RunFolder, training: Training, made_of: dict[str, Any]) -> None:
    """Export the agent, safe before anything is rendered, and once more with its film where one could be made."""
    agent, last = training.exported_agent(), training.record.evaluations[-1]
    folder.video.unlink(missing_ok=True)  # an older one, of a run that was resumed
    export(agent, folder, made_of, last)
    if config.video_steps:
        try:
            record(folder.agent, config.env, folder.video, config.video_steps, EVALUATION_SEED)
        except UserError as error:
            return print(error)
        export(agent, folder, made_of, last)


@exit_codes()
def main(argv: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    run(RunFolder.read_config(argv, DESCRIPTION))


if __name__ == "__main__":
    main()
