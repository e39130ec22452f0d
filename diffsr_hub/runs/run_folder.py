"""`runs/NAME/`, as far as both stages mean the same by it: how it is found, its settings, and what it refuses."""

import itertools
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from diffsr_hub.errors import UserError
from diffsr_hub.runs.command import parse


class RunConfig(Protocol):
    """The settings by which a run finds its folder."""

    @property
    def run_dir(self) -> Path | None:
        """Where a new run goes; must not exist."""

    @property
    def resume(self) -> Path | None:
        """The folder of a run to go on with."""

    @property
    def run_name(self) -> str:
        """Name of a new run that was given no folder."""


Config = TypeVar("Config", bound=RunConfig)


@dataclass(frozen=True)
class AnyRunFolder(Generic[Config]):
    """What the folders of all stages share; a stage says what its verb and its settings are, and adds its files."""

    verb: ClassVar[str]
    config_type: ClassVar[type[Any]]
    path: Path

    @property
    def config(self) -> Path:
        """The resolved settings; `--config` reads them."""
        return self.path / "config.yaml"

    @property
    def first_files(self) -> tuple[Path, ...]:
        """What a run writes when it begins; without them, a folder is none of a run."""
        return (self.config,)

    @classmethod
    def of(cls, config: Config) -> Self:
        """Where a run goes; nothing is written yet."""
        return cls(config.resume or config.run_dir or free_path(Path("runs", config.run_name)))

    @classmethod
    def read_config(cls, argv: Sequence[str] | None, description: str) -> Config:
        """The run's settings; those of a resumed run come from its own folder, flags override them.

        Args:
            argv: Arguments; `None` takes those of the process.
            description: First lines of the help.

        Raises:
            UserError: A flag is wrong, or names a folder to go on in that is none of a run.
            SystemExit: After `--help` and `--print_config`.
        """
        arguments = list(sys.argv[1:] if argv is None else argv)
        config = cls._parse(arguments, description)
        if config.resume is None:
            return config
        if config.run_dir is not None:
            raise UserError(f"--resume goes on in {config.resume}; --run_dir is for a new run: give one of them")
        return cls(config.resume).stored_config(arguments)

    def stored_config(self, flags: Sequence[str] = ()) -> Config:
        """The settings that the run was started with, overridden by command-line flags.

        Raises:
            UserError: This is not a run folder, or a flag is wrong.
        """
        if not all(file.is_file() for file in self.first_files):
            names = " and ".join(file.name for file in self.first_files)
            raise UserError(f"{self.path} is not a run folder: it has no {names}")
        return self._parse(["--config", str(self.config), *flags])

    @classmethod
    def _parse(cls, arguments: Sequence[str], description: str = "") -> Config:
        return parse(cls.config_type, arguments, prog=f"diffsr {cls.verb}", description=description)

    def _check_same(self, names: Iterable[str], before: Config, now: Config) -> None:
        """Refuse to go on where one of the named settings has changed."""
        for name in names:
            old, new = getattr(before, name), getattr(now, name)
            if old != new:
                raise UserError(f"{self.path} was started with {name}={old}, not {new}: start a new run for that")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say in one line why the folder, or a file in it, cannot be made."""
        try:
            yield
        except FileExistsError as error:
            raise self._exists() from error
        except OSError as error:
            raise UserError(f"cannot write the run folder {self.path}: {error.strerror}") from error

    def _exists(self) -> UserError:
        return UserError(f"{self.path} exists already: choose another --run_dir, or go on with --resume {self.path}")


def free_path(path: Path) -> Path:
    """The path itself, or where there is something already, with `-2` and so on behind it."""
    numbered = (path.with_name(f"{path.name}-{number}") for number in itertools.count(2))
    return next(place for place in itertools.chain([path], numbered) if not place.exists())
