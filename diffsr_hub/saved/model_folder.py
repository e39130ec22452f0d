"""A model as a folder: `config.json` and `model.safetensors`, written atomically and read strictly.

Nothing that is read here can execute: the configuration is JSON, the weights are safetensors. Sizes are compared before
anything is allocated, and one missing or extra tensor is an error.
"""

import inspect
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from safetensors.torch import save as serialize
from torch import Tensor, nn

from diffsr_hub.errors import UserError, on_one_line
from diffsr_hub.files.atomic import write_bytes, write_json
from diffsr_hub.files.lfs import check_no_pointer
from diffsr_hub.files.paths import expanded
from diffsr_hub.files.strict_json import read_json
from diffsr_hub.saved.download import find
from diffsr_hub.saved.file_names import CONFIG, WEIGHTS

FORMAT_VERSION = 1

Model = TypeVar("Model", bound=nn.Module)


def save(folder: Path, model_type: str, arguments: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write `config.json` and `model.safetensors` into a folder, weights first.

    Args:
        folder: Created where it does not exist.
        model_type: Name of the class, checked when loading.
        arguments: Its constructor's arguments, JSON values only.
        tensors: Its state, on any device.

    Raises:
        UserError: A tensor holds NaN or infinity; what is in the folder stays as it is.
    """
    folder = expanded(folder)
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    _check_finite(f"{model_type} is not saved", contiguous)
    folder.mkdir(parents=True, exist_ok=True)
    # One entry only: several are written in a random order, and equal models would be unequal files.
    write_bytes(folder / WEIGHTS, serialize(contiguous, metadata={"format": "pt"}))
    write_json(folder / CONFIG, {"model_type": model_type, "format_version": FORMAT_VERSION, **arguments})


def load(
    cls: type[Model], source: str | Path, *, revision: str | None, local_files_only: bool, token: str | None
) -> Model:
    """Build a model from its configuration and give it its weights, strictly, in evaluation mode.

    Args:
        cls: Its class; `config.json` holds its constructor's arguments, those without a default at least.
        source: A folder with `config.json` and `model.safetensors`, or a repository such as `org/diffsr-hopper`.
        revision: Branch, tag or commit of the repository.
        local_files_only: Use only what is cached.
        token: Access token, where the environment's is not the right one.

    Raises:
        UserError: It is not there, not of this class, of a newer format, or does not fit its configuration.
    """
    config, weights = find(source, revision=revision, local_files_only=local_files_only, token=token)
    arguments = read_config(config, cls.__name__)
    parameters = inspect.signature(cls).parameters
    if unknown := sorted(arguments.keys() - parameters.keys()):
        raise UserError(f"{config} has unknown keys {reprlib.repr(unknown)}; known are {', '.join(parameters)}")
    required = {name for name, parameter in parameters.items() if parameter.default is parameter.empty}
    if missing := required - arguments.keys():
        raise UserError(f"{config} lacks {', '.join(sorted(missing))}")
    try:
        with torch.device("meta"):
            model = cls(**arguments)
    except UserError as error:
        raise UserError(f"{config}: {error}") from error
    model.load_state_dict(read_weights(weights, model.state_dict()), strict=True, assign=True)
    return model.eval()


def read_config(file: Path, model_type: str) -> dict[str, Any]:
    """The constructor's arguments of a saved model.

    Raises:
        UserError: The file is malformed, of another class, or of a newer format.
    """
    config = read_json(file)
    if not isinstance(config, dict) or config.get("model_type") != model_type:
        found = config.get("model_type") if isinstance(config, dict) else type(config).__name__
        raise UserError(f"{file} describes {reprlib.repr(found)}, not a {model_type}")
    version = config.pop("format_version", None)
    if type(version) is not int or not 1 <= version <= FORMAT_VERSION:
        raise UserError(
            f"{file} has format version {reprlib.repr(version)}, and this diffsr-hub reads 1 to {FORMAT_VERSION}: "
            "install a newer one"
        )
    del config["model_type"]
    return config


def read_weights(file: Path, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a saved model, after their names, shapes and types were compared with those expected.

    Args:
        file: The safetensors file.
        expected: State of a model of the right sizes; may be on the meta device.

    Raises:
        UserError: The file is no safetensors file, or a tensor is missing, extra, of another shape or type, or not
            finite.
    """
    try:
        with safe_open(file, framework="pt") as stored:
            slices = {name: stored.get_slice(name) for name in stored.keys()}  # noqa: SIM118 (not a mapping)
            shapes = {name: tuple(piece.get_shape()) for name, piece in slices.items()}
            _compare(file, shapes, {name: tuple(tensor.shape) for name, tensor in expected.items()})
        tensors = load_file(file)
    except (SafetensorError, OSError) as error:
        check_no_pointer(file)
        raise UserError(f"{file} is not a readable safetensors file: {on_one_line(error)}") from error
    for name, tensor in tensors.items():
        if tensor.dtype != expected[name].dtype:
            raise UserError(f"{file}: tensor {name} is {tensor.dtype}, expected {expected[name].dtype}")
    _check_finite(str(file), tensors)
    # A loaded tensor lies anywhere in the file's bytes; matrix products may round otherwise at another alignment.
    return {name: tensor.clone() for name, tensor in tensors.items()}


def _compare(file: Path, found: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]]) -> None:
    missing, extra = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    if missing or extra:
        raise UserError(f"{file} does not fit its {CONFIG}: missing {_some(missing)}, extra {_some(extra)}")
    for name, shape in expected.items():
        if found[name] != shape:
            raise UserError(f"{file} does not fit its {CONFIG}: {name} is {found[name]}, expected {shape}")


def _check_finite(what: str, tensors: Mapping[str, Tensor]) -> None:
    broken = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    if broken:
        raise UserError(f"{what}: NaN or infinity in {_some(broken)}")


def _some(names: list[str]) -> str:
    """The first few names, for a message of one line."""
    shown = ", ".join(repr(name)[:100] for name in names[:3]) or "nothing"
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
