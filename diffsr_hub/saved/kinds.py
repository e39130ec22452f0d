"""The kinds of model that a folder can hold, one object each; `from_pretrained` loads any of them."""

import reprlib
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from diffsr_hub.errors import UserError, unknown
from diffsr_hub.files.strict_json import read_json
from diffsr_hub.saved.download import find
from diffsr_hub.saved.file_names import (
    CARD,
    CONFIG,
    CURVE,
    DATASET,
    DIAGNOSTICS,
    EVALUATION,
    PICTURE,
    RESULTS,
    TRAINING,
    TRANSFER,
    VIDEO,
    WEIGHTS,
)


@dataclass(frozen=True)
class Kind:
    """One kind of model. What it names as `module:object` is imported only when it is needed."""

    name: str
    """`model_type` in `config.json`"""
    model: str
    """its class"""
    template: str
    """of its card, in `model_cards/`"""
    facts: str
    """the function `(folder, source)` that reads what the template needs"""
    required: frozenset[str]
    """files of every whole folder"""
    optional: frozenset[str]
    """files that it may have; whatever is named in neither is never published"""

    def load_class(self) -> Any:
        """The class of the model."""
        return _load(self.model)

    def read_facts(self, folder: Path, source: str) -> dict[str, Any]:
        """What the card of a folder says; `source` is what it tells readers to load.

        Raises:
            UserError: A file or a fact is missing.
        """
        facts: dict[str, Any] = _load(self.facts)(folder, source)
        return facts


ENCODER = Kind(
    name="DiffSR",
    model="diffsr_hub.model.encoder:DiffSR",
    template="encoder.md",
    facts="diffsr_hub.cards.encoder_facts:encoder_facts",
    required=frozenset({CONFIG, WEIGHTS, CARD, DATASET, DIAGNOSTICS, PICTURE}),
    optional=frozenset({TRANSFER}),
)
AGENT = Kind(
    name="Agent",
    model="finetune.agent.agent:Agent",
    template="agent.md",
    facts="diffsr_hub.cards.agent_facts:agent_facts",
    required=frozenset({CONFIG, WEIGHTS, CARD, TRAINING, EVALUATION, RESULTS, CURVE}),
    optional=frozenset({VIDEO}),
)
KINDS = {kind.name: kind for kind in (ENCODER, AGENT)}


def from_pretrained(
    source: str | Path,
    *,
    revision: str | None = None,
    local_files_only: bool = False,
    token: str | None = None,
    env: Any = None,
) -> Any:
    """Load whatever a folder or a repository holds, strictly, in evaluation mode.

    Args:
        source: A folder with `config.json` and `model.safetensors`, or a repository such as `org/diffsr-hopper`.
        revision: Branch, tag or commit of the repository; a full commit that is cached makes no request.
        local_files_only: Use only what is cached.
        token: Access token, where the environment's is not the right one.
        env: A Gymnasium environment that the model must fit.

    Raises:
        UserError: It is not there, not a model of ours, of a newer format, does not fit itself, or not `env`.
    """
    config, _ = find(source, revision=revision, local_files_only=local_files_only, token=token)
    return kind_of(config).load_class().from_pretrained(config.parent, env=env)


def kind_of(config: Path) -> Kind:
    """The kind of model that a configuration describes.

    Raises:
        UserError: The file cannot be read, or names none of ours.
    """
    content = read_json(config)
    found = content.get("model_type") if isinstance(content, dict) else None
    if not isinstance(found, str):
        raise UserError(f"{config} names no model_type of diffsr-hub ({reprlib.repr(found)})")
    if found not in KINDS:
        raise unknown(f"model_type in {config}", found[:100], KINDS)
    return KINDS[found]


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
