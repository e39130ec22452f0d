"""A frozen dataclass as a command line: its fields are the flags and the keys of `--config`, their docstrings the help.

jsonargparse parses; what is added here is that every mistake becomes one line that names what would be right. Verbs
with positional arguments use `verb_parser`.
"""

import difflib
import re
import shlex
from argparse import ArgumentError, ArgumentTypeError
from argparse import ArgumentParser as StandardParser
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from diffsr_hub.errors import UserError
from diffsr_hub.files.paths import expanded

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

Config = TypeVar("Config")
_UNKNOWN = re.compile(r"unrecognized arguments: (?P<flag>\S+)|Option '(?P<key>[^']+)' is not accepted")


def parse(kind: type[Config], argv: Sequence[str] | None, *, prog: str, description: str) -> Config:
    """Build a config from command-line arguments; `--config FILE` is read first, flags override it.

    Args:
        kind: A dataclass whose attribute docstrings are the help.
        argv: Arguments; `None` takes those of the process.
        prog: Name of the program in the help.
        description: First lines of the help.

    Raises:
        UserError: An unknown flag or key, a value of the wrong type, or whatever `kind` refuses.
        SystemExit: After `--help` and `--print_config`.
    """
    parser = _parser(kind, prog, description)
    try:
        values = parser.parse_args(argv)
    except ArgumentError as error:
        raise UserError(_explain(str(error), [field.name for field in fields(kind)])) from error  # type: ignore[arg-type]
    given = {field.name: values[field.name] for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: expanded(value) if isinstance(value, Path) else value for name, value in given.items()})


def dump(config: Any, file: Path) -> None:
    """Write a config as YAML that `--config` reads back to an equal one."""
    from diffsr_hub.files.atomic import write_text
    from diffsr_hub.files.yaml_text import to_yaml

    write_text(file, to_yaml(settings(config)))


def settings(config: Any) -> dict[str, Any]:
    """A config as values that YAML and JSON know."""
    return {field.name: _plain(getattr(config, field.name)) for field in fields(config)}


def flags(given: Mapping[str, Any]) -> list[str]:
    """The command-line arguments that give settings, each of which is then read by its type."""
    return [f"--{name}={_text(value)}" for name, value in given.items()]


def words(name: str, text: str) -> list[str]:
    """The words of a setting that takes several, separated by commas.

    Raises:
        UserError: There are none, or one is there twice.
    """
    found = [word.strip() for word in text.split(",") if word.strip()]
    if not found:
        raise UserError(f"{name} is empty; give at least one")
    repeated = sorted({word for word in found if found.count(word) > 1})
    if repeated:
        raise UserError(f"{name} names {repeated[0]} twice")
    return found


def command_line(verb: str, config: Any, *, always: Collection[str], never: Collection[str]) -> str:
    """The command that repeats a run: every setting that is not the default.

    Args:
        verb: Of `diffsr`.
        config: A dataclass of which every field has a default.
        always: Settings that are shown, and come first, whatever they are.
        never: Settings that change nothing about what comes out.
    """
    default = type(config)()
    line = ["diffsr", verb, *(f"--{name}={getattr(config, name)}" for name in always)]
    for name in (field.name for field in fields(config) if field.name not in (*always, *never)):
        value = getattr(config, name)
        if value != getattr(default, name):
            line.append(f"--{name}={_plain(value)}".replace(" ", ""))
    return shlex.join(line)


class VerbParser(StandardParser):
    """Says what is wrong in one line, as `parse` does; `~` in front of a path is the home folder."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.register("type", Path, _path)

    def error(self, message: str) -> NoReturn:
        """Raise a UserError where argparse would print the usage and exit."""
        raise UserError(f"{message} (see {self.prog} --help)")


def _path(text: str) -> Path:
    try:
        return expanded(text)
    except UserError as error:
        raise ArgumentTypeError(str(error)) from error


def verb_parser(verb: str, description: str) -> VerbParser:
    """A parser for `diffsr VERB` with positional arguments."""
    return VerbParser(prog=f"diffsr {verb}", description=description, allow_abbrev=False)


def _parser(kind: type[Any], prog: str, description: str) -> "ArgumentParser":
    from jsonargparse import ArgumentParser, set_dumper, set_parsing_settings

    from diffsr_hub.files.yaml_text import to_yaml

    set_dumper("yaml", to_yaml)  # of --print_config
    set_parsing_settings(docstring_parse_attribute_docstrings=True)
    parser = ArgumentParser(prog=prog, description=description, exit_on_error=False, allow_abbrev=False)
    parser.add_class_arguments(kind, nested_key=None, as_group=False)
    parser.add_argument("--config", action="config", help="YAML file with any of these settings; flags override it.")
    return parser


def _plain(value: Any) -> Any:
    from diffsr_hub.files.yaml_text import is_nothing

    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Path):
        return f"./{value}" if is_nothing(str(value)) else str(value)
    return value


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_text, value))}]"
    return "null" if value is None else str(value)


def _explain(message: str, names: list[str]) -> str:
    unknown = _UNKNOWN.search(message)
    if not unknown:
        return " ".join(message.split())
    word = unknown["flag"] or unknown["key"]
    name = word.lstrip("-").split("=")[0]
    close = difflib.get_close_matches(name, names, n=1)
    guess = f"; did you mean {close[0]}?" if close else ";"
    return f"unknown setting {word}{guess} valid are {', '.join(names)}"
