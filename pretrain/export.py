"""The encoder folder: weights, configuration, provenance, what the encoder knows, and a card, all or nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from diffsr_hub.cards.card import write_card
from diffsr_hub.cards.encoder_facts import FEW
from diffsr_hub.data import Episodes
from diffsr_hub.diagnostics import diagnose, draw, residual_table
from diffsr_hub.files.atomic import whole_folder, write_json
from diffsr_hub.model.encoder import DiffSR
from diffsr_hub.saved.file_names import DATASET, DIAGNOSTICS, PICTURE


def export(
    model: DiffSR,
    folder: Path,
    made_of: dict[str, Any],
    episodes: Episodes,
    train_ids: Tensor,
    validation_ids: Tensor,
    *,
    seed: int,
) -> None:
    """Measure a trained encoder on held-out episodes and write its folder; an older folder there is replaced.

    Args:
        model: The trained encoder, in evaluation mode.
        folder: Where it goes.
        made_of: Provenance, see `dataset.json`.
        episodes: The data.
        train_ids: Episodes it was trained on; the sampler's variances come from them.
        validation_ids: Episodes held out.
        seed: Of the measurements.
    """
    model.unexplained.copy_(residual_table(model, episodes, train_ids, seed))
    report = diagnose(model, episodes, train_ids, validation_ids, seed=seed)
    with whole_folder(folder) as partial:
        model.save_pretrained(partial)
        write_json(partial / DATASET, made_of)
        write_json(partial / DIAGNOSTICS, report)
        draw(report, partial / PICTURE, title=_title([entry["id"] for entry in made_of["datasets"]]))
        write_card(partial)


def _title(ids: Sequence[str]) -> str:
    """The datasets, or of many the first and how many more."""
    return ", ".join(ids) if len(ids) <= FEW else f"{ids[0]} and {len(ids) - 1} more"
