"""Algorithm 1 from the command line: a Minari dataset in, an encoder folder out.

Start it as `python pretrain/fit.py --dataset mujoco/hopper`, or as `diffsr pretrain`.
"""

import logging
import shlex
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

if not __package__:
    # Run as a script: import from the checkout, not from this folder.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import lightning as L
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, Timer
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor

from diffsr_hub.data import Episodes, Resolution, load, resolve, split_by_episode
from diffsr_hub.errors import UserError, exit_codes
from diffsr_hub.model.encoder import DiffSR
from diffsr_hub.runs.device import device_name
from diffsr_hub.runs.interrupt import Stopped
from pretrain.callbacks import AtomicCheckpointIO, Averaging, Progress, StopWhenAsked
from pretrain.collect import collect
from pretrain.config import PretrainConfig
from pretrain.datamodule import TransitionDataModule
from pretrain.export import export
from pretrain.module import LOG_EVERY, DiffSRModule
from pretrain.provenance import Trained, facts
from pretrain.ranks import check_same, cluster_environment, take_turns
from pretrain.run_folder import RunFolder

DESCRIPTION = """Learn a Diffusion Spectral Representation from a Minari dataset (Algorithm 1 of arXiv 2406.16121).
Leaves runs/NAME/encoder, a folder that DiffSR.from_pretrained loads and that can be shared as it is."""


def build_model(config: PretrainConfig, episodes: Episodes, train_ids: Tensor) -> DiffSR:
    """A fresh encoder that knows the statistics of the training episodes."""
    predicts_reward = config.reward_coef > 0
    model = DiffSR(
        episodes.obs_dim,
        episodes.action_dim,
        obs_parts=episodes.obs_parts,
        predict_reward=predicts_reward,
        **config.architecture,
    )
    moments = episodes.moments(train_ids)
    model.set_statistics(*moments._replace(obs_std=moments.obs_std.clamp(min=config.smallest_std)))
    return model


def build_module(config: PretrainConfig, model: DiffSR) -> DiffSRModule:
    """The encoder with its loss and its optimiser."""
    return DiffSRModule(
        model,
        learning_rate=config.learning_rate,
        max_steps=config.max_steps,
        warmup_steps=config.warmup_steps,
        lr_schedule=config.lr_schedule,
        weighting=config.weighting,
        reward_coef=config.reward_coef,
    )


def build_data(
    config: PretrainConfig, model: DiffSR, episodes: Episodes, train_ids: Tensor, validation_ids: Tensor
) -> TransitionDataModule:
    """The batches of some episodes, and of others to validate on."""
    return TransitionDataModule(
        episodes,
        episodes.indices(train_ids),
        episodes.indices(validation_ids),
        batch_size=config.batch_size,
        num_levels=config.num_levels,
        noise_dim=model.observe.out_dim,
        seed=config.seed,
    )


def build_trainer(config: PretrainConfig, folder: RunFolder) -> L.Trainer:
    """Lightning's Trainer with sparse logging, whole batches and steps as the only unit of progress.

    Raises:
        UserError: The devices cannot be used, or other processes were started than the settings say.
    """
    checkpoint = ModelCheckpoint(
        dirpath=folder.checkpoints,
        filename=folder.last_checkpoint.stem,
        every_n_train_steps=config.checkpoint_every,
        enable_version_counter=False,
    )
    callbacks: list[Callback] = [Averaging(decay=config.ema_decay)] if config.ema_decay else []
    callbacks += [Progress()] if config.progress else []
    callbacks += [Timer(), StopWhenAsked(folder.last_checkpoint), checkpoint]
    processes = config.devices * config.num_nodes
    environment = cluster_environment(processes)
    try:
        return L.Trainer(
            accelerator=config.accelerator,
            devices=config.devices,
            num_nodes=config.num_nodes,
            strategy="ddp" if processes > 1 else "auto",
            max_steps=config.max_steps,
            max_epochs=-1,
            val_check_interval=config.validate_every,
            check_val_every_n_epoch=None,
            num_sanity_val_steps=0,
            gradient_clip_val=config.gradient_clip or None,
            log_every_n_steps=LOG_EVERY,
            logger=[CSVLogger(folder.logs, name="csv"), TensorBoardLogger(folder.logs, name="tensorboard")],
            callbacks=callbacks,
            plugins=[AtomicCheckpointIO(), *environment],
            use_distributed_sampler=False,
            enable_progress_bar=config.progress,
            enable_model_summary=False,
            default_root_dir=folder.path,
        )
    except (MisconfigurationException, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"accelerator {config.accelerator} with devices {config.devices}: {reason}") from error


def train(trainer: L.Trainer, folder: RunFolder, module: DiffSRModule, data: TransitionDataModule) -> Trained:
    """Run Lightning's loop, from the last checkpoint where there is one.

    Raises:
        UserError: The checkpoint cannot be used, or the loss diverged.
        Stopped: A stop was asked for, and everything was saved; Ctrl-C twice interrupts at once.
    """
    (stop,) = (callback for callback in trainer.callbacks if isinstance(callback, StopWhenAsked))  # type: ignore[attr-defined]
    (timer,) = (callback for callback in trainer.callbacks if isinstance(callback, Timer))  # type: ignore[attr-defined]
    resume_from = folder.last_checkpoint if folder.last_checkpoint.is_file() else None
    with stop.request.listening():
        try:
            trainer.fit(module, datamodule=data, ckpt_path=resume_from, weights_only=True)
        except SystemExit as error:  # what Lightning makes of a KeyboardInterrupt
            raise KeyboardInterrupt from error
    if stop.stopped:
        say(f"stopped at step {trainer.global_step} of {trainer.max_steps} and saved")
        say(f"to go on: diffsr pretrain --resume {shlex.quote(str(folder.path))}")
        raise Stopped
    return Trained(trainer.global_step, timer.time_elapsed("train"), device_name(trainer.strategy.root_device))


def steps_made(folder: RunFolder) -> int:
    """Updates up to the last checkpoint of a run; 0 where it has none.

    Raises:
        UserError: The checkpoint is damaged.
    """
    if not folder.last_checkpoint.is_file():
        return 0
    return int(AtomicCheckpointIO().load_checkpoint(folder.last_checkpoint, weights_only=True)["global_step"])


def find_data(config: PretrainConfig) -> tuple[Resolution, Episodes]:
    """The datasets that the settings name, and what is in them."""
    resolution = resolve(config.datasets, tiers=config.tier_names, download=config.download, collect=collect, say=say)
    return resolution, load(resolution.ids)


def split(config: PretrainConfig, episodes: Episodes, ids: Sequence[str]) -> tuple[Tensor, Tensor]:
    """The episodes to train on, and those that are held out.

    Raises:
        UserError: They are too few.
    """
    train_ids, validation_ids = split_by_episode(episodes, config.validation_fraction, config.seed)
    if not len(validation_ids):
        raise UserError(f"{', '.join(ids)}: one episode each; two of one are needed, one to be held out")
    if len(episodes.indices(validation_ids)) < 2:
        raise UserError(f"one step is held out of {', '.join(ids)}; raise --validation_fraction")
    return train_ids, validation_ids


def run(config: PretrainConfig) -> Path:
    """Data, training, export; returns the encoder's folder."""
    torch.set_num_threads(config.threads)
    quieten_lightning()
    folder = RunFolder.of(config)
    trainer = build_trainer(config, folder)
    resolution, episodes = take_turns(trainer.strategy, lambda: find_data(config))
    check_same(trainer.strategy, "data", [(entry["id"], entry["sha256"]) for entry in episodes.provenance])
    parts = split(config, episodes, resolution.ids)
    L.seed_everything(config.seed, verbose=False)
    module = build_module(config, build_model(config, episodes, parts[0]))
    data = build_data(config, module.model, episodes, *parts)
    with folder.in_use(config, episodes.provenance, steps_made(folder)):
        trained = train(trainer, folder, module, data)
        leave_encoder(module.model, folder, facts(config, episodes, resolution, trained, folder.history()), data, parts)
    return folder.encoder


@rank_zero_only
def leave_encoder(
    model: DiffSR, folder: RunFolder, made_of: dict[str, Any], data: TransitionDataModule, split: tuple[Tensor, Tensor]
) -> None:
    """Measure and write the encoder, and say how it is loaded."""
    say("measuring what the encoder knows about held-out episodes …")
    export(model.cpu().eval(), folder.encoder, made_of, data.episodes, *split, seed=data.seed)
    say(f"encoder: {folder.encoder.resolve()}")
    say(f'load it: from diffsr_hub import DiffSR; model = DiffSR.from_pretrained("{folder.encoder}")')


@rank_zero_only
def say(line: str) -> None:
    """Print a line, on the first process only."""
    print(line, flush=True)


def quieten_lightning() -> None:
    """Leave Lightning's warnings on and its notices, tips and advertisements off."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")
    warnings.filterwarnings("ignore", message=".*sync_dist=True")  # every process validates the same batch
    warnings.filterwarnings("ignore", message="The dirpath has changed")  # a run folder may be moved
    warnings.filterwarnings("ignore", message="`isinstance.treespec, LeafSpec.` is deprecated")  # Lightning 2.6's own


@exit_codes()
def main(argv: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    run(RunFolder.read_config(argv, DESCRIPTION))


if __name__ == "__main__":
    main()
