"""`runs/NAME/`: where a run keeps its settings, logs, checkpoints and its encoder."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities import rank_zero_only

from diffsr_hub.errors import UserError
from diffsr_hub.files.atomic import write_json
from diffsr_hub.model.encoder_config import Architecture
from diffsr_hub.runs.command import dump, settings
from diffsr_hub.runs.lock import locked
from diffsr_hub.runs.run_folder import AnyRunFolder
from pretrain.config import PretrainConfig

_FIXED = ("seed", "validation_fraction", "smallest_std", *(field.name for field in fields(Architecture)))
"""Settings that make the model and the split: a resumed run cannot change them."""
_OF_UPDATES = (
    *("max_steps", "batch_size", "learning_rate", "warmup_steps", "lr_schedule", "gradient_clip", "ema_decay"),
    *("weighting", "reward_coef"),
)
"""Settings of the updates: a resumed run may change them, and its provenance says from which update on."""


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
    def changes(self) -> Path:
        """Settings that a resumed run changed, and after how many updates."""
        return self.path / "changes.json"

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

    @contextmanager
    def in_use(self, config: PretrainConfig, provenance: Sequence[dict[str, Any]], made: int = 0) -> Iterator[None]:
        """Write down the settings and the data of a run, or check those of a resumed one, and keep other runs out.

        The first process of a run does so for all.

        Args:
            config: Of the run.
            provenance: Of its data.
            made: Updates that were made before.

        Raises:
            UserError: The folder exists, is in use, cannot be written, or was made from other data or with another
                model; or the settings are of updates that were not and will not be made.
        """
        hashes = {entry["id"]: entry["sha256"] for entry in provenance}
        if config.resume:
            self._check_same_data(hashes)
            self._check_same_model(config)
            self._check_steps(config, made)
        if getattr(rank_zero_only, "rank", 0):
            yield
            return
        with self._explained():
            self.path.mkdir(parents=True, exist_ok=config.resume is not None)
        with locked(self.path):
            with self._explained():
                if config.resume and made:
                    self._note_changes(config, made)
                dump(replace(config, resume=None), self.config)
                write_json(self.dataset, hashes)
            yield

    def history(self) -> dict[str, Any]:
        """What a resumed run changed, none where it changed nothing: `started`, the first settings, and `changes`."""
        if not self.changes.is_file():
            return {}
        history: dict[str, Any] = json.loads(self.changes.read_text(encoding="utf-8"))
        return history

    def _check_same_data(self, hashes: dict[str, str]) -> None:
        before = json.loads(self.dataset.read_text(encoding="utf-8"))
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

    def _check_steps(self, config: PretrainConfig, made: int) -> None:
        """Refuse to say of updates what they were not."""
        if config.max_steps < made:
            raise UserError(
                f"{self.path} has made {made} updates: give --max_steps {made} or more, not {config.max_steps}"
            )
        unused = [name for name in self._changed(config) if name != "max_steps"]
        if config.max_steps == made and unused:
            raise UserError(
                f"{self.path} has made all of its {made} updates, and none would use "
                f"{unused[0]}={getattr(config, unused[0])}: give a larger --max_steps, or start a new run"
            )

    def _changed(self, config: PretrainConfig) -> dict[str, Any]:
        """The settings of updates that are others than before, with their new values."""
        before = self.stored_config()
        return {name: getattr(config, name) for name in _OF_UPDATES if getattr(config, name) != getattr(before, name)}

    def _note_changes(self, config: PretrainConfig, made: int) -> None:
        if changed := self._changed(config):
            history = self.history() or {"started": settings(self.stored_config()), "changes": []}
            history["changes"].append({"step": made, "settings": changed})
            write_json(self.changes, history)
