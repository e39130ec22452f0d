"""`diffsr <verb> …`: one program for every step. Each verb is imported only when it is called."""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from diffsr_hub import __version__
from diffsr_hub.errors import UserError, exit_codes, unknown


@dataclass(frozen=True)
class Verb:
    """What `diffsr VERB` starts, and what has to be installed for it."""

    program: str
    """its `main`, as `module:function`"""
    summary: str
    """what it does, for `diffsr --help`"""
    extra: str | None = None
    """the extra of `pyproject.toml` that it needs; None for the base installation"""


VERBS = {
    "collect": Verb("pretrain.collect:main", "play bundled behaviour into Minari datasets", extra="pretrain"),
    "pretrain": Verb("pretrain.fit:main", "train an encoder on Minari datasets", extra="pretrain"),
    "finetune": Verb("finetune.train:main", "learn online on top of an encoder", extra="finetune"),
    "evaluate": Verb("finetune.acting.evaluate_verb:main", "run episodes with a trained agent", extra="finetune"),
    "compare": Verb(
        "diffsr_hub.studies.compare_verb:main", "compare runs over their seeds: table, JSON, picture", extra="finetune"
    ),
    "matrix": Verb("diffsr_hub.studies.matrix_verb:main", "encoders × tasks: gains over scratch", extra="finetune"),
    "sweep": Verb("finetune.sweep.verb:main", "fine-tune with tasks × encoders × seeds", extra="finetune"),
    "publish": Verb("diffsr_hub.hub.verbs:publish_main", "upload an exported folder to the Hub"),
    "info": Verb("diffsr_hub.hub.verbs:info_main", "show what a folder or a repository holds"),
    "list": Verb("diffsr_hub.hub.verbs:list_main", "list the models on the Hub"),
    "card": Verb("diffsr_hub.hub.verbs:card_main", "write a folder's README.md anew"),
}


_HOME = Path(__file__).resolve().parents[1]
"""where this package is, with both stages beside it"""


@exit_codes()
def main(argv: Sequence[str] | None = None) -> None:
    """Run one verb with the arguments after it.

    Args:
        argv: the command line without the program's name; None for the process's own.
    """
    verb, *rest = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if verb == "help" and rest and rest[0] not in ("help", "-h", "--help"):
        verb, rest = rest[0], ["--help"]
    if verb in ("help", "-h", "--help"):
        print(_help())
    elif verb == "--version":
        print(f"diffsr-hub {__version__}")
    elif verb in VERBS:
        _run(verb, rest)
    else:
        raise unknown("verb", verb, VERBS)


def _run(verb: str, arguments: Sequence[str]) -> None:
    module, _, name = VERBS[verb].program.partition(":")
    _check_ours(module.partition(".")[0])
    try:
        program: Callable[[Sequence[str]], None] = getattr(importlib.import_module(module), name)
        program(arguments)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("", module.partition(".")[0], "diffsr_hub"):  # a mistake of ours: its traceback is needed
            raise
        extra = VERBS[verb].extra
        command = f"pip install 'diffsr-hub[{extra}]'" if extra else "pip install diffsr-hub"
        raise UserError(f"diffsr {verb} needs the package {missing}, which is not installed: {command}") from error


def _check_ours(package: str) -> None:
    """Refuse a package or a file of somebody else that Python finds in the place of one of the stages."""
    if package not in ("pretrain", "finetune"):
        return
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None or Path(spec.origin).resolve().parents[1] != _HOME:
        found = (spec and (spec.origin or "a folder without code")) or "nothing"
        raise UserError(
            f"Python finds {found} under the name {package}, which hides the package of diffsr-hub: rename it, start "
            "the program from another folder, or take its folder out of PYTHONPATH"
        )


def _help() -> str:
    width = max(map(len, VERBS))
    verbs = [f"  {name:<{width}}  {verb.summary}" for name, verb in VERBS.items()]
    return "\n".join(
        [
            "usage: diffsr VERB [arguments]",
            "",
            "Pretrained diffusion spectral representations for reinforcement learning.",
            "",
            "verbs:",
            *verbs,
            "",
            "diffsr help VERB      what a verb takes (so does diffsr VERB --help)",
            "diffsr --version      the installed version",
        ]
    )


if __name__ == "__main__":
    main()
