"""`runs/NAME/`: where a run keeps its settings, logs, checkpoints and its encoder."""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities import rank_zero_only

from diffsr_hub.command import dump
from diffsr_hub.errors import UserError
from diffsr_hub.pretrained import write_json
from pretrain.config import PretrainConfig


@dataclass(frozen=True)
class RunFolder:
    """The files of one run."""

    path: Path

    @property
    def config(self) -> Path:
        """The resolved settings; `--config` reads them."""
        return self.path / "config.yaml"

    @property
    def dataset(self) -> Path:
        """Provenance of the data, to be sure that a resumed run sees the same."""
        return self.path / "dataset.json"

    @property
    def logs(self) -> Path:
        """CSV and TensorBoard, a version for every start."""
        return self.path / "logs"

    @property
    def checkpoints(self) -> Path:
        """Lightning's checkpoints: private to the run, never published."""
        return self.path / "checkpoints"

    @property
    def last_checkpoint(self) -> Path:
        """The newest checkpoint."""
        return self.checkpoints / "last.ckpt"

    @property
    def encoder(self) -> Path:
        """What is left in the end, to be loaded and published."""
        return self.path / "encoder"

    @classmethod
    def prepare(cls, config: PretrainConfig, provenance: Sequence[dict[str, Any]]) -> "RunFolder":
        """The folder of a new run, with its settings and its data written down, or that of a resumed one.

        Raises:
            UserError: The folder exists, cannot be written, or was made from other data.
        """
        folder = cls(config.resume or config.run_dir or _free_name(config.datasets[0]))
        hashes = {entry["id"]: entry["sha256"] for entry in provenance}
        if config.resume:
            folder._check_same_data(hashes)
        folder._write(config, hashes)
        return folder

    def _check_same_data(self, hashes: dict[str, str]) -> None:
        before = json.loads(self.dataset.read_text())
        if before != hashes:
            raise UserError(
                f"{self.path} was started on other data ({before}) than there is now ({hashes}); "
                "restore it, or start a new run"
            )

    @rank_zero_only
    def _write(self, config: PretrainConfig, hashes: dict[str, str]) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=config.resume is not None)
            dump(config, self.config)
            write_json(self.dataset, hashes)
        except FileExistsError as error:
            raise UserError(
                f"{self.path} exists already: choose another --run_dir, or go on with --resume {self.path}"
            ) from error
        except OSError as error:
            raise UserError(f"cannot write the run folder {self.path}: {error.strerror}") from error


def _free_name(dataset: str) -> Path:
    """`runs/hopper`, or `runs/hopper-2` and so on if that is taken."""
    name = dataset.removeprefix("mujoco/").replace("/", "-")
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return next(path for path in (Path("runs") / name for name in names) if not path.exists())
