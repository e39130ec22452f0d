"""`runs/NAME/`: where an online run keeps its settings, its logs, its state and its agent."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from diffsr_hub.runs.command import dump
from diffsr_hub.runs.lock import locked
from diffsr_hub.runs.run_folder import AnyRunFolder
from finetune.config import FinetuneConfig

_FREE = (
    *("total_steps", "eval_every", "eval_episodes", "checkpoint_every", "log_every", "video_steps", "threads"),
    *("progress", "download", "resume", "run_dir", "arm"),
)
"""Settings that a resumed run may change; with others it would be another run."""


class RunFolder(AnyRunFolder[FinetuneConfig]):
    """The files of one run."""

    verb = "finetune"
    config_type = FinetuneConfig

    @property
    def checkpoint(self) -> Path:
        """Everything that a resumed run needs but the replay buffer; private to the run, never published."""
        return self.path / "checkpoint" / "state.safetensors"

    @property
    def replay(self) -> Path:
        """The replay buffer, a file for every checkpoint."""
        return self.path / "checkpoint" / "replay"

    @property
    def sources(self) -> Path:
        """Hashes of the encoder and of the offline data, as they were when the run began."""
        return self.path / "sources.json"

    @property
    def progress(self) -> Path:
        """Losses and training episodes, a row every `log_every` steps."""
        return self.path / "progress.csv"

    @property
    def tensorboard(self) -> Path:
        """The same for TensorBoard."""
        return self.path / "tensorboard"

    @property
    def curve(self) -> Path:
        """The evaluations as a table; beside it as a picture."""
        return self.path / "learning_curve.csv"

    @property
    def evaluation(self) -> Path:
        """The evaluations with every episode."""
        return self.path / "evaluation.json"

    @property
    def video(self) -> Path:
        """The final policy at work."""
        return self.path / "replay.mp4"

    @property
    def agent(self) -> Path:
        """What is left in the end, to be loaded and published."""
        return self.path / "agent"

    def check(self, config: FinetuneConfig) -> None:
        """Refuse early what `in_use` would refuse; nothing is written yet.

        Raises:
            UserError: It exists, or was started with other settings.
        """
        if config.resume:
            fixed = [name for name in vars(config) if name not in _FREE]
            self._check_same(fixed, self.stored_config(), config)
        elif self.path.exists():
            raise self._exists()

    @contextmanager
    def in_use(self, config: FinetuneConfig) -> Iterator[None]:
        """Make the folder, or go on in it, and keep every other run out while the context lasts.

        Raises:
            UserError: It exists, is in use, cannot be written, or is one that `check` refuses.
        """
        self.check(config)
        with self._explained():
            self.path.mkdir(parents=True, exist_ok=config.resume is not None)
        with locked(self.path):
            dump(replace(config, resume=None), self.config)
            yield
