"""`runs/NAME/`: where a run keeps its settings, logs, checkpoints and its encoder."""

import json
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities import rank_zero_only

from diffsr_hub.errors import UserError
from diffsr_hub.files.atomic import write_json
from diffsr_hub.model.encoder_config import Architecture
from diffsr_hub.runs.command import dump
from diffsr_hub.runs.run_folder import AnyRunFolder
from pretrain.config import PretrainConfig

_FIXED = ("seed", "validation_fraction", "smallest_std", *(field.name for field in fields(Architecture)))
"""Settings that make the model and the split: a resumed run cannot change them."""


class RunFolder(AnyRunFolder[PretrainConfig]):
    """The files of one run."""

    verb = "pretrain"
    config_type = PretrainConfig

    @property
    def dataset(self) -> Path:
        """Provenance of the data, to be sure that a resumed run sees the same."""
        return self.path / "dataset.json"

    @property
    def first_files(self) -> tuple[Path, ...]:
        """Settings and data."""
        return self.config, self.dataset

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

    def _check_same_data(self, hashes: dict[str, str]) -> None:
        before = json.loads(self.dataset.read_text())
        if before != hashes:
            raise UserError(
                f"{self.path} was started on other data ({before}) than there is now ({hashes}); "
                "restore it, or start a new run"
            )

    def _check_same_model(self, config: PretrainConfig) -> None:
        before = self.stored_config()
        self._check_same(_FIXED, before, config)
        if (before.reward_coef > 0) != (config.reward_coef > 0):
            raise UserError(f"{self.path} was started with reward_coef={before.reward_coef}: start a new run for that")

    @rank_zero_only
    def _write(self, config: PretrainConfig, hashes: dict[str, str]) -> None:
        with self._explained():
            self.path.mkdir(parents=True, exist_ok=config.resume is not None)
            dump(replace(config, resume=None), self.config)
            write_json(self.dataset, hashes)
