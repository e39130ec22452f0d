"""What happens around the training steps: progress, a clean stop when asked, checkpoints that are whole."""

import io
import sys
import threading
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, TQDMProgressBar
from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm

from diffsr_hub.errors import UserError
from diffsr_hub.files.atomic import write_bytes
from diffsr_hub.runs.interrupt import StopRequest
from pretrain.module import LOG_EVERY


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place and renames it: kill -9 leaves the old one or the new one."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Save `checkpoint` at `path`."""
        content = io.BytesIO()  # on a full disk, torch's own writing ends in an internal error instead of an OSError
        torch.save(checkpoint, content)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_bytes(Path(path), content.getbuffer())

    def load_checkpoint(self, path: Any, *args: Any, **options: Any) -> dict[str, Any]:
        """Load the checkpoint at `path`.

        Raises:
            UserError: It is damaged.
        """
        try:
            return super().load_checkpoint(path, *args, **options)
        except Exception as error:  # torch raises half a dozen types for damaged files
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise UserError(f"{path} cannot be read ({reason}); delete it to resume from step 0") from error


class Averaging(EMAWeightAveraging):
    """Lightning's moving average, also where a resumed run has no step left to do.

    Lightning puts the average in the place of the weights only after training steps, and would leave the last weights.
    """

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Put the average in the place of the weights."""
        self._copy_average_to_current(pl_module)


class Progress(TQDMProgressBar):
    """One bar over all steps of the run: loss, steps per second, time left."""

    def __init__(self) -> None:
        super().__init__(refresh_rate=LOG_EVERY)

    def init_train_tqdm(self) -> Tqdm:
        """A bar that starts at the step a resumed run is at, so that its rate and its time left are right."""
        return Tqdm(
            desc="pretraining",
            total=self.trainer.max_steps,
            initial=self.trainer.global_step,
            unit=" steps",
            dynamic_ncols=True,
            file=sys.stdout,
            bar_format=self.BAR_FORMAT,
        )

    def on_train_epoch_start(self, *_: Any) -> None:
        """Keep the bar: Lightning would set it back to an epoch of unknown length, as the batches never end."""

    def get_metrics(self, trainer: L.Trainer, pl_module: L.LightningModule) -> dict[str, Any]:
        """Training and validation loss."""
        metrics = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)
        return metrics

    def init_validation_tqdm(self) -> Tqdm:
        """No second bar: a validation is one batch."""
        return Tqdm(disable=True)


class StopWhenAsked(Callback):
    """Finish the step, save, and stop, as soon as a stop is asked for.

    All processes of a run agree on the step at which they stop, for which they ask each other every `LOG_EVERY` steps.

    Args:
        checkpoint: Where to save.
    """

    def __init__(self, checkpoint: Path) -> None:
        self.checkpoint, self.request, self.stopped = checkpoint, StopRequest(), False

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Take the signals back: Lightning takes SIGTERM just before, and would raise an error between two steps."""
        if threading.current_thread() is threading.main_thread():
            self.request.take_signals()

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Stop where a stop was asked for, of any process."""
        if trainer.world_size > 1 and trainer.global_step % LOG_EVERY:
            return
        if trainer.strategy.reduce_boolean_decision(self.request.asked, all=False):
            trainer.save_checkpoint(self.checkpoint)
            trainer.should_stop = self.stopped = True
