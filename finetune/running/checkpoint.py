"""A run's state in one safetensors file: nested dicts and lists of tensors and plain values; written atomically."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize
from torch import Tensor

from diffsr_hub.errors import UserError, on_one_line
from diffsr_hub.files.atomic import write_bytes

_TENSOR, _STATE = "__tensor__", "state"


def save(file: Path, state: Any) -> None:
    """Write a state; the file is the old one or the new one, never a half.

    Args:
        file: Where to.
        state: Dicts with text or integer keys, lists, numbers, text, None and tensors.
    """
    tensors: dict[str, Tensor] = {}
    skeleton = json.dumps(_take_apart(state, tensors))
    write_bytes(file, serialize(tensors, metadata={_STATE: skeleton}))


def load(file: Path) -> Any:
    """The state in a file.

    Raises:
        UserError: The file is missing, or is not one of `save`.
    """
    try:
        with safe_open(file, framework="pt") as stored:
            tensors = {name: stored.get_tensor(name).clone() for name in stored.keys()}  # noqa: SIM118 (no mapping)
            skeleton = json.loads(stored.metadata()[_STATE])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise unreadable(file, on_one_line(error)) from error
    return _put_together(skeleton, tensors)


def unreadable(path: Path, why: str) -> UserError:
    """The error for a state from which no run can go on."""
    return UserError(f"{path} is not a readable checkpoint: {why}; start a new run")


def _take_apart(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().clone().contiguous()
        return {_TENSOR: name}
    if isinstance(value, dict):
        return {"keys": list(value), "values": [_take_apart(entry, tensors) for entry in value.values()]}
    if isinstance(value, list | tuple):
        return [_take_apart(entry, tensors) for entry in value]
    return value


def _put_together(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_put_together(entry, tensors) for entry in value]
    if not isinstance(value, dict):
        return value
    if _TENSOR in value:
        return tensors[value[_TENSOR]]
    return {key: _put_together(entry, tensors) for key, entry in zip(value["keys"], value["values"], strict=True)}
