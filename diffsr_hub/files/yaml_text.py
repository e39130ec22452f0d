"""YAML in which a text stays a text: two loaders never agree on what `1e-3`, `on`, `1:30` or `~` without quotes is."""

from typing import Any

import yaml

_WORDS = ("null", "true", "false", "yes", "no", "on", "off", "y", "n")
"""names that some loader reads as something else"""
_TEXT, _MERGE = "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"


class _Quoting(yaml.SafeDumper):
    """Quotes every text that is no plain name."""


class _Texts(yaml.SafeLoader):
    """Reads every scalar as the text that stands there, quoted or not; `<<` merges mappings as always."""

    yaml_implicit_resolvers = {"<": [(_MERGE, yaml.SafeLoader.yaml_implicit_resolvers["<"][0][1])]}  # noqa: RUF012


def to_yaml(content: Any) -> str:
    """YAML that every loader reads back to equal content, in ASCII, its keys in their order."""
    return yaml.dump(content, Dumper=_Quoting, sort_keys=False, width=10_000)


def read_texts(text: str) -> Any:
    """Mappings and lists of texts; who knows the type of a text makes something else of it.

    Raises:
        yaml.YAMLError: It is no YAML.
    """
    return yaml.load(text, Loader=_Texts)


def is_nothing(text: str) -> bool:
    """Whether a text without quotes is null or a comment: jsonargparse takes even a quoted optional path for that."""
    try:
        return yaml.safe_load(text) is None
    except yaml.YAMLError:
        return False


def _represent(dumper: _Quoting, text: str) -> yaml.ScalarNode:
    plain = text.isidentifier() and text.isascii() and text.lower() not in _WORDS
    return dumper.represent_scalar(_TEXT, text, style=None if plain else '"')


_Quoting.add_representer(str, _represent)
