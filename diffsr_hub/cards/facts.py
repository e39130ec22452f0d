"""JSON files beside a card, whose missing facts are named, and what is said of every model of ours."""

from pathlib import Path
from typing import Any

from diffsr_hub.errors import UserError, plain
from diffsr_hub.files.strict_json import read_json
from diffsr_hub.saved.file_names import CONFIG
from diffsr_hub.saved.model_folder import read_config

MISSING = "{} has no {}: the card cannot be written without it"
_LARGEST = 16_000_000
"""bytes of a file: `evaluation.json` has every episode of a run"""


class Facts(dict[str, Any]):
    """A JSON object that knows what it is called, so that a missing or empty entry can be named.

    Args:
        name: Such as `dataset.json: training`.
        content: The object.
    """

    def __init__(self, name: str, content: dict[str, Any]) -> None:
        super().__init__(content)
        self.name = name

    def __getitem__(self, key: str) -> Any:
        value = self.get(key)
        if value is None or value in ("", [], {}):
            raise UserError(MISSING.format(self.name, key))
        return _named(f"{self.name}: {key}", value)


def about_ours(*tags: str) -> dict[str, Any]:
    """The metadata of every model of ours."""
    return {
        "license": "mit",
        "library_name": "diffsr-hub",
        "pipeline_tag": "reinforcement-learning",
        "tags": ["reinforcement-learning", "diffusion", "diffsr", *tags],
    }


def remote_datasets(datasets: list[Facts]) -> list[str] | None:
    """The repositories of the Hub that data was downloaded from."""
    found = [entry for entry in datasets if entry.get("source") == "remote"]
    return sorted({f"farama-minari/{plain(entry['namespace']).split('/')[0]}" for entry in found}) or None


def config_of(folder: Path, kind: str) -> Facts:
    """The arguments of the model in a folder."""
    return Facts(CONFIG, read_config(folder / CONFIG, kind))


def require(folder: Path, name: str) -> None:
    """Refuse a folder without a file.

    Raises:
        UserError: It is not there.
    """
    if not (folder / name).is_file():
        raise UserError(MISSING.format(folder, name))


def read(file: Path) -> Facts:
    """A JSON object.

    Raises:
        UserError: The file is missing, or holds something else.
    """
    require(file.parent, file.name)
    content = read_json(file, _LARGEST)
    if not isinstance(content, dict):
        raise UserError(f"{file} holds a {type(content).__name__}, not an object")
    return Facts(file.name, content)


def _named(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return Facts(name, value)
    if isinstance(value, list):
        return [_named(f"{name}[{i}]", entry) for i, entry in enumerate(value)]
    return value
