"""A model as a folder: `config.json` and `model.safetensors`, written atomically and read strictly.

Nothing that is read here can execute: the configuration is JSON, the weights are safetensors. Sizes are compared before
anything is allocated, and one missing or extra tensor is an error.
"""

import errno
import inspect
import json
import math
import os
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    HFValidationError,
    LocalEntryNotFoundError,
    RevisionNotFoundError,
)
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from safetensors.torch import save as serialize
from torch import Tensor, nn

from diffsr_hub.errors import UserError
from diffsr_hub.saved.hub_errors import CLIENT_ERRORS, brief, reason
from diffsr_hub.saved.integrity import as_announced

CONFIG, WEIGHTS = "config.json", "model.safetensors"
FORMAT_VERSION = 1
MAX_JSON_BYTES = 1_000_000

Model = TypeVar("Model", bound=nn.Module)


def write_bytes(file: Path, content: bytes | memoryview) -> None:
    """Write a file so that a reader finds the old one or the new one, never a half, and a failure leaves no debris."""
    partial = file.with_name(f".{file.name}.partial")
    try:
        partial.write_bytes(content)
        os.replace(partial, file)
    finally:
        partial.unlink(missing_ok=True)


def write_text(file: Path, text: str) -> None:
    """Write a text file in UTF-8, atomically."""
    write_bytes(file, text.encode())


def write_json(file: Path, content: Any) -> None:
    """Write strict JSON (no NaN, no infinity) atomically, with a stable layout."""
    write_text(file, json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


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


def find(source: str | Path, *, revision: str | None, local_files_only: bool, token: str | None) -> tuple[Path, Path]:
    """Locate configuration and weights in a folder, or download them from the Hub.

    Raises:
        UserError: Neither a folder with both files nor a repository that has them, or a folder and a revision.
    """
    if os.path.isdir(source):  # unlike Path.is_dir, it takes any string
        check_no_revision(source, revision)
        return _in_folder(Path(source), CONFIG), _in_folder(Path(source), WEIGHTS)
    if os.path.exists(source):
        raise UserError(f"{source} is a file; give the folder that holds {CONFIG} and {WEIGHTS}")
    try:
        config = _download(str(source), CONFIG, revision, local_files_only, token)
        read_json(config)  # before weights of any size are asked for
        # The weights of that very commit, wherever the branch has moved since; cached ones need no request then.
        commit = config.parent.name if config.parent.parent.name == "snapshots" else revision
        return config, _download(str(source), WEIGHTS, commit, local_files_only, token)
    except UserError:
        raise
    except CLIENT_ERRORS as error:
        raise UserError(_why_not(source, revision, error)) from None  # its text, and its causes', may show a token


def _download(repository: str, name: str, revision: str | None, local_files_only: bool, token: str | None) -> Path:
    """One file of the Hub; what was altered on the way or in the cache is downloaded once more."""
    options: dict[str, Any] = {"revision": revision, "local_files_only": local_files_only, "token": token}
    file = Path(str(hf_hub_download(repository, name, **options)))
    if as_announced(file):
        return file
    if not local_files_only:
        file = Path(str(hf_hub_download(repository, name, force_download=True, **options)))
        if as_announced(file):
            return file
    raise UserError(f"{repository}: {name} does not have the hash that the Hub announced; its copy is {file}")


def _why_not(source: str | Path, revision: str | None, error: Exception) -> str:
    if isinstance(error, HFValidationError):
        return f"{source} is neither a folder that exists nor a repository id like org/name"
    if isinstance(error, LocalEntryNotFoundError):
        return f"{source} is neither a folder nor cached, and the Hub was not reached: {reason(error)}"
    if isinstance(error, EntryNotFoundError):
        return f"{source} on the Hub has no {CONFIG} and {WEIGHTS}: it is not a model of diffsr-hub"
    if isinstance(error, RevisionNotFoundError):
        return f"{source} on the Hub has no revision {revision!r} (branch, tag or commit)"
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EROFS):
        return f"{source}: the cache cannot be written ({brief(error)}); load a commit that is in it, or set HF_HOME"
    why, known = brief(error), reason(error)
    return f"{source} is not a folder, and the Hub did not give it: {why}{f' ({known})' if known != why else ''}"


def check_no_revision(folder: str | Path, revision: str | None) -> None:
    """Refuse a version of what has none.

    Raises:
        UserError: A revision is asked for.
    """
    if revision is not None:
        raise UserError(f"{folder} is a folder, which has no revisions: leave {revision!r} out")


def read_json(file: Path, limit: int = MAX_JSON_BYTES) -> Any:
    """The content of a JSON file of reasonable size, in which every number is finite.

    Args:
        file: A plain file, of which never more than `limit` bytes and one are read.
        limit: Largest size in bytes; parsed, it may take 25 times as much.

    Raises:
        UserError: It is no plain file, larger, not JSON, or holds NaN, infinity or a number beyond float64.
    """
    try:
        if file.exists() and not file.is_file():  # a pipe would never end, nor would /dev/zero
            raise ValueError("it is not a file")
        with file.open("rb") as opened:
            content = opened.read(limit + 1)
        if len(content) > limit:
            raise ValueError(f"larger than {limit:,} bytes")
        return json.loads(content.decode(), parse_int=_whole, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError, OSError) as error:
        raise UserError(f"{file} cannot be read as JSON: {_line(error)}") from error


def _whole(text: str) -> int:
    _finite(text)
    return int(text)


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{reprlib.repr(text)} is not a finite number")
    return number


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
        raise UserError(f"{file} is not a readable safetensors file: {_line(error)}") from error
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


def _in_folder(folder: Path, name: str) -> Path:
    file = folder / name
    if file.is_file():
        return file
    pickles = sorted(p.name for p in folder.iterdir() if p.suffix in {".bin", ".pt", ".pth", ".pkl", ".ckpt"})
    hint = f"; {', '.join(pickles)} can run code when loaded and is never read" if pickles else ""
    raise UserError(f"{folder} has no {name}{hint}: expected {CONFIG} and {WEIGHTS}")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
