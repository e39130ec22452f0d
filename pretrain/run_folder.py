"""`runs/NAME/`: where a run keeps its settings, logs, checkpoints and its encoder."""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities import rank_zero_only

from diffsr_hub.command import dump, parse
from diffsr_hub.errors import UserError
from diffsr_hub.pretrained import write_json
from pretrain.config import PretrainConfig

_FIXED = (
    *("seed", "validation_fraction", "feature_dim", "psi_hidden", "nu_hidden", "psi_network", "score"),
    *("smallest_std", "num_levels", "schedule", "num_frequencies"),
)
"""Settings that make the model and the split: a resumed run cannot change them."""


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
    def of(cls, config: PretrainConfig) -> "RunFolder":
        """Where a run goes; nothing is written yet."""
        return cls(config.resume or config.run_dir or _free_name(config.datasets[0]))

    def prepare(self, config: PretrainConfig, provenance: Sequence[dict[str, Any]]) -> None:
        """Write down the settings and the data of a run, or check those of a resumed one.

        Raises:
            UserError: The folder exists, cannot be written, or was made from other data or with another model.
        """
        hashes = {entry["id"]: entry["sha256"] for entry in provenance}
        if config.resume:
            self._check_same_data(hashes)
            self._check_same_model(config)
        self._write(config, hashes)

    def stored_config(self, flags: Sequence[str] = ()) -> PretrainConfig:
        """The settings that the run was started with, overridden by command-line flags.

        Raises:
            UserError: This is not a run folder, or a flag is wrong.
        """
        if not (self.config.is_file() and self.dataset.is_file()):
            raise UserError(f"{self.path} is not a run folder: it has no {self.config.name} and {self.dataset.name}")
        return parse(PretrainConfig, ["--config", str(self.config), *flags], prog="diffsr pretrain", description="")

    def _check_same_data(self, hashes: dict[str, str]) -> None:
        before = json.loads(self.dataset.read_text())
        if before != hashes:
            raise UserError(
                f"{self.path} was started on other data ({before}) than there is now ({hashes}); "
                "restore it, or start a new run"
            )

    def _check_same_model(self, config: PretrainConfig) -> None:
        before = self.stored_config()
        for name in _FIXED:
            old, new = getattr(before, name), getattr(config, name)
            if old != new:
                raise UserError(f"{self.path} was started with {name}={old}, not {new}: start a new run for that")
        if (before.reward_coef > 0) != (config.reward_coef > 0):
            raise UserError(f"{self.path} was started with reward_coef={before.reward_coef}: start a new run for that")

    @rank_zero_only
    def _write(self, config: PretrainConfig, hashes: dict[str, str]) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=config.resume is not None)
            dump(replace(config, resume=None), self.config)
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
