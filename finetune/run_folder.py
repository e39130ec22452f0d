"""`runs/NAME/`: where an online run keeps its settings, its logs, its state and its agent."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from diffsr_hub.command import dump, parse
from diffsr_hub.errors import UserError
from finetune.config import FinetuneConfig

_FREE = (
    *("total_steps", "eval_every", "eval_episodes", "checkpoint_every", "log_every", "video_steps", "threads"),
    *("progress", "download", "resume", "run_dir", "arm"),
)
"""Settings that a resumed run may change; with others it would be another run."""


@dataclass(frozen=True)
class RunFolder:
    """The files of one run."""

    path: Path

    @property
    def config(self) -> Path:
        """The resolved settings; `--config` reads them."""
        return self.path / "config.yaml"

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

    @classmethod
    def of(cls, config: FinetuneConfig) -> "RunFolder":
        """Where a run goes; nothing is written yet."""
        return cls(config.resume or config.run_dir or _free_name(config))

    def check(self, config: FinetuneConfig) -> None:
        """Refuse early what `in_use` would refuse; nothing is written yet.

        Raises:
            UserError: It exists, or was started with other settings.
        """
        if config.resume:
            self._check_same_run(config)
        elif self.path.exists():
            raise self._exists()

    @contextmanager
    def in_use(self, config: FinetuneConfig) -> Iterator[None]:
        """Make the folder, or go on in it, and keep every other run out while the context lasts.

        Raises:
            UserError: It exists, is in use, cannot be written, or was started with other settings.
        """
        self.check(config)
        try:
            self.path.mkdir(parents=True, exist_ok=config.resume is not None)
        except FileExistsError as error:
            raise self._exists() from error
        except OSError as error:
            raise UserError(f"cannot write the run folder {self.path}: {error.strerror}") from error
        try:
            with FileLock(self.path / ".lock", timeout=0):
                dump(replace(config, resume=None), self.config)
                yield
        except Timeout as error:
            raise UserError(f"{self.path} is in use by another process; wait for it, or start a new run") from error

    def stored_config(self, flags: Sequence[str] = ()) -> FinetuneConfig:
        """The settings that the run was started with, overridden by command-line flags.

        Raises:
            UserError: This is not a run folder, or a flag is wrong.
        """
        if not self.config.is_file():
            raise UserError(f"{self.path} is not a run folder: it has no {self.config.name}")
        return parse(FinetuneConfig, ["--config", str(self.config), *flags], prog="diffsr finetune", description="")

    def _exists(self) -> UserError:
        return UserError(f"{self.path} exists already: choose another --run_dir, or go on with --resume {self.path}")

    def _check_same_run(self, config: FinetuneConfig) -> None:
        before = self.stored_config()
        for name, value in vars(config).items():
            if name not in _FREE and getattr(before, name) != value:
                raise UserError(
                    f"{self.path} was started with {name}={getattr(before, name)}, not {value}: "
                    "start a new run for that"
                )


def _free_name(config: FinetuneConfig) -> Path:
    """`runs/Hopper-v5-frozen-0`, with a number behind it if that is taken."""
    name = f"{config.env.rpartition('/')[2]}-{config.label}-{config.seed}"
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return next(path for path in (Path("runs") / name for name in names) if not path.exists())
