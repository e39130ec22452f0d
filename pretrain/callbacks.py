"""What happens around the training steps: progress, a clean stop on Ctrl-C, checkpoints that are never half written."""

import io
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, TQDMProgressBar
from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm
from lightning.pytorch.utilities.exceptions import SIGTERMException

from diffsr_hub.errors import UserError
from diffsr_hub.files.atomic import write_bytes
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
    """On Ctrl-C finish the step, save, and stop; a second Ctrl-C interrupts at once. On SIGTERM save, too.

    All processes of a run agree on the step at which they stop.

    Args:
        checkpoint: Where to save.
    """

    def __init__(self, checkpoint: Path) -> None:
        self.checkpoint, self.asked, self.stopped = checkpoint, False, False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take Ctrl-C while the context lasts."""
        before = signal.signal(signal.SIGINT, self._ask)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Stop at the end of a logging window, where nothing is half counted."""
        if trainer.global_step % LOG_EVERY == 0 and trainer.strategy.reduce_boolean_decision(self.asked, all=False):
            trainer.save_checkpoint(self.checkpoint)
            trainer.should_stop = self.stopped = True

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Save on SIGTERM, with which a cluster takes its machine back: Lightning raises it between two steps."""
        if isinstance(exception, SIGTERMException):
            trainer.save_checkpoint(self.checkpoint)
            self.stopped = True
