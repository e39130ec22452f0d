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

from diffsr_hub.data import Episodes, load, resolve, split_by_episode
from diffsr_hub.errors import UserError, exit_codes
from diffsr_hub.model.encoder import DiffSR
from pretrain.callbacks import AtomicCheckpointIO, Averaging, Progress, StopWhenAsked
from pretrain.collect import collect
from pretrain.config import PretrainConfig
from pretrain.datamodule import TransitionDataModule
from pretrain.export import export
from pretrain.module import LOG_EVERY, DiffSRModule
from pretrain.provenance import device_name, facts
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


def build_trainer(config: PretrainConfig, folder: RunFolder, stop: StopWhenAsked, timer: Timer) -> L.Trainer:
    """Lightning's Trainer with sparse logging, whole batches and steps as the only unit of progress."""
    checkpoint = ModelCheckpoint(
        dirpath=folder.checkpoints,
        filename=folder.last_checkpoint.stem,
        every_n_train_steps=config.checkpoint_every,
        enable_version_counter=False,
    )
    callbacks: list[Callback] = [Averaging(decay=config.ema_decay)] if config.ema_decay else []
    callbacks += [Progress()] if config.progress else []
    callbacks += [timer, stop, checkpoint]
    several = config.devices * config.num_nodes > 1
    return L.Trainer(
        accelerator=config.accelerator,
        devices=config.devices,
        num_nodes=config.num_nodes,
        strategy="ddp" if several else "auto",
        max_steps=config.max_steps,
        max_epochs=-1,
        val_check_interval=config.validate_every,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        gradient_clip_val=config.gradient_clip or None,
        log_every_n_steps=LOG_EVERY,
        logger=[CSVLogger(folder.logs, name="csv"), TensorBoardLogger(folder.logs, name="tensorboard")],
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO()],
        use_distributed_sampler=False,
        enable_progress_bar=config.progress,
        enable_model_summary=False,
        default_root_dir=folder.path,
    )


def train(
    config: PretrainConfig, folder: RunFolder, module: DiffSRModule, data: TransitionDataModule
) -> tuple[float, str]:
    """Run Lightning's loop, from the last checkpoint where there is one; returns the seconds in all and the device.

    Raises:
        UserError: The devices, the run folder or the checkpoint cannot be used, or the loss diverged.
        KeyboardInterrupt: Ctrl-C or SIGTERM, after everything was saved; or Ctrl-C twice, at once.
    """
    stop, timer = StopWhenAsked(folder.last_checkpoint), Timer()
    try:
        trainer = build_trainer(config, folder, stop, timer)
    except (MisconfigurationException, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"accelerator {config.accelerator} with devices {config.devices}: {reason}") from error
    folder.prepare(config, data.episodes.provenance)
    resume_from = folder.last_checkpoint if config.resume and folder.last_checkpoint.is_file() else None
    with stop.listening():
        try:
            trainer.fit(module, datamodule=data, ckpt_path=resume_from, weights_only=True)
        except SystemExit as error:  # what Lightning makes of a KeyboardInterrupt, and of SIGTERM
            if not stop.stopped:
                raise KeyboardInterrupt from error
    if stop.stopped:
        say(f"stopped at step {trainer.global_step} of {config.max_steps} and saved")
        say(f"to go on: diffsr pretrain --resume {shlex.quote(str(folder.path))}")
        raise KeyboardInterrupt
    return timer.time_elapsed("train"), device_name(trainer.strategy.root_device)


def run(config: PretrainConfig) -> Path:
    """Data, training, export; returns the encoder's folder."""
    torch.set_num_threads(config.threads)
    quieten_lightning()
    resolution = resolve(config.datasets, tiers=config.tier_names, download=config.download, collect=collect, say=say)
    episodes = load(resolution.ids)
    train_ids, validation_ids = split_by_episode(episodes, config.validation_fraction, config.seed)
    if not len(validation_ids):
        raise UserError(f"{', '.join(resolution.ids)}: one episode each; two of one are needed, one to be held out")
    if len(episodes.indices(validation_ids)) < 2:
        raise UserError(f"one step is held out of {', '.join(resolution.ids)}; raise --validation_fraction")
    folder = RunFolder.of(config)
    L.seed_everything(config.seed, verbose=False)
    module = build_module(config, build_model(config, episodes, train_ids))
    data = build_data(config, module.model, episodes, train_ids, validation_ids)
    made_of = facts(config, episodes, resolution, *train(config, folder, module, data))
    leave_encoder(module.model, folder, made_of, data, (train_ids, validation_ids))
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
