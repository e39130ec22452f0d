"""The model card of an encoder folder: every number and name on it is read from the JSON files beside it.

Those files hold text from strangers (descriptions, names of algorithms). On the card it is one line of plain text: it
can neither end the YAML front matter nor format anything.
"""

import json
import re
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Any

import jinja2
from huggingface_hub import ModelCardData
from markupsafe import Markup

from diffsr_hub import pretrained
from diffsr_hub.errors import UserError

DATASET, DIAGNOSTICS, PICTURE, CARD = "dataset.json", "diagnostics.json", "diagnostics.png", "README.md"
_LONGEST_TEXT = 500
_MISSING = "{} has no {}: the card cannot be written without it"
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|#~$&!])")


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
            raise UserError(_MISSING.format(self.name, key))
        return _named(f"{self.name}: {key}", value)


def write_card(folder: Path, source: str = "path/to/this/folder") -> None:
    """Write `README.md` into an encoder folder from its `config.json`, `dataset.json` and `diagnostics.json`.

    Args:
        folder: The encoder folder.
        source: What the card tells `from_pretrained` to load: a repository such as `org/diffsr-hopper`.

    Raises:
        UserError: A file or a fact is missing.
    """
    if not (folder / PICTURE).is_file():
        raise UserError(_MISSING.format(folder, PICTURE))
    dataset = Facts(DATASET, _read(folder / DATASET))
    facts = {
        "source": source,
        "config": Facts(pretrained.CONFIG, pretrained.read_config(folder / pretrained.CONFIG, "DiffSR")),
        "datasets": dataset["datasets"],
        "software": dataset["software"],
        "training": dataset["training"],
        "report": Facts(DIAGNOSTICS, _read(folder / DIAGNOSTICS)),
        "environment": _environment(dataset["datasets"]),
    }
    metadata = Markup(_metadata(facts["environment"], dataset["datasets"]))
    template = _jinja().from_string(files("model_cards").joinpath("encoder.md").read_text(encoding="utf-8"))
    try:
        text = template.render(metadata=metadata, **facts)
    except UserError:
        raise
    except (jinja2.UndefinedError, TypeError, ValueError) as error:
        raise UserError(f"{folder}: a fact of the card is missing or of the wrong kind ({error})") from error
    pretrained.write_text(folder / CARD, text)


def _metadata(environment: str, datasets: list[Facts]) -> str:
    """The YAML front matter, without its fences."""
    remote = sorted({f"farama-minari/{entry['namespace'].split('/')[0]}" for entry in datasets if _is_remote(entry)})
    return ModelCardData(
        license="mit",
        library_name="diffsr-hub",
        pipeline_tag="reinforcement-learning",
        tags=["reinforcement-learning", "representation-learning", "diffusion", "minari", "diffsr", _line(environment)],
        datasets=remote or None,
    ).to_yaml(line_break="\n")


def _is_remote(entry: Facts) -> bool:
    return entry.get("source") == "remote"


def _environment(datasets: list[Facts]) -> str:
    """The environments' ids; where the data names none, the namespaces."""
    names = {(entry.get("env_spec") or {}).get("id") or entry["namespace"] for entry in datasets}
    return ", ".join(sorted(names))


def _jinja() -> jinja2.Environment:
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, finalize=_plain, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    environment.filters |= {"code": _code, "line": _verbatim, "duration": _duration, "median": median}
    return environment


def _plain(value: Any) -> Any:
    """What an expression of the template may print: numbers, and text without markup."""
    if isinstance(value, Markup | bool | int | float):
        return value
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} is not text")
    return _MARKDOWN.sub(r"\\\1", _line(value))


def _code(text: str) -> Markup:
    """Inline code, also inside a table."""
    return Markup(f"`{_line(text).replace('`', chr(39)).replace('|', '/')}`")


def _verbatim(text: str) -> Markup:
    """One line within a block of code."""
    return Markup(_line(text).replace("```", "'''"))


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.1f} minutes" if seconds >= 60 else f"{seconds:.0f} seconds"


def _line(text: str) -> str:
    """Printable characters on one line."""
    flat = " ".join(str(text).split())
    return "".join(character for character in flat if character.isprintable())[:_LONGEST_TEXT]


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(_MISSING.format(file.parent, file.name)) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{file} cannot be read as JSON ({error})") from error
    if not isinstance(content, dict):
        raise UserError(f"{file} holds a {type(content).__name__}, not an object")
    return content


def _named(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return Facts(name, value)
    if isinstance(value, list):
        return [_named(f"{name}[{i}]", entry) for i, entry in enumerate(value)]
    return value
