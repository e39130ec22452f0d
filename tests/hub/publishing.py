"""What the tests of publishing share: a folder's content, another version of it, and the refusal to publish it."""

import json
from pathlib import Path
from typing import Any

import pytest

from diffsr_hub import DiffSR, UserError
from diffsr_hub.cards.card import write_card
from diffsr_hub.files.atomic import write_json
from diffsr_hub.hub.publish import publish
from tests.hub.samples import NAME


def contents(folder: str | Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in Path(folder).iterdir()}


def rewrite(folder: Path, model: DiffSR | None = None, **facts: Any) -> None:
    """Make another version: of another model, or of other facts in diagnostics.json."""
    if model is not None:
        model.save_pretrained(folder)
    report = json.loads((folder / "diagnostics.json").read_text())
    write_json(folder / "diagnostics.json", report | facts)
    write_card(folder, NAME)


def refusal(folder: Path, name: str = NAME, **options: Any) -> str:
    """The message with which publishing is refused; the folder is as it was."""
    before = contents(folder) if folder.is_dir() else {}
    with pytest.raises(UserError) as caught:
        publish(folder, name, **options)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 700, message
    assert "hf_" not in message.replace("hf_hub_", "")
    assert not before or contents(folder) == before
    return message
