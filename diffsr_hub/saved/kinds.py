"""`from_pretrained` for any model of ours: the class is the one that `config.json` names."""

import reprlib
from importlib import import_module
from pathlib import Path
from typing import Any

from diffsr_hub.errors import UserError, unknown
from diffsr_hub.saved import model_folder as pretrained

CLASSES = {"DiffSR": "diffsr_hub.model.encoder:DiffSR", "Agent": "finetune.agent.agent:Agent"}
"""model type → where its class is; imported only when it is needed"""


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
    config, _ = pretrained.find(source, revision=revision, local_files_only=local_files_only, token=token)
    return load_class(model_type(config)).from_pretrained(config.parent, env=env)


def model_type(config: Path) -> str:
    """The class that a configuration names.

    Raises:
        UserError: The file cannot be read, or names none of ours.
    """
    content = pretrained.read_json(config)
    found = content.get("model_type") if isinstance(content, dict) else None
    if not isinstance(found, str):
        raise UserError(f"{config} names no model_type of diffsr-hub ({reprlib.repr(found)})")
    if found not in CLASSES:
        raise unknown(f"model_type in {config}", found[:100], CLASSES)
    return found


def load_class(kind: str) -> Any:
    """The class of a model type."""
    module, _, name = CLASSES[kind].partition(":")
    return getattr(import_module(module), name)
