"""`diffsr <verb> …`: one program for every step. Each verb is imported only when it is called."""

import importlib
import sys
from collections.abc import Callable, Sequence

from diffsr_hub import __version__
from diffsr_hub.errors import UserError, exit_codes, unknown

VERBS = {
    "collect": ("pretrain.collect:main", "play bundled behaviour into Minari datasets"),
    "pretrain": ("pretrain.fit:main", "train an encoder on Minari datasets"),
    "finetune": ("finetune.train:main", "learn online on top of an encoder"),
    "evaluate": ("finetune.acting.evaluate_verb:main", "run episodes with a finished agent"),
    "compare": ("diffsr_hub.studies.compare_verb:main", "compare runs over their seeds: table, JSON, picture"),
    "matrix": ("diffsr_hub.studies.matrix_verb:main", "encoders × tasks: gains over scratch"),
    "sweep": ("finetune.sweep.verb:main", "fine-tune with tasks × encoders × seeds"),
    "publish": ("diffsr_hub.hub.verbs:publish_main", "upload an exported folder to the Hub"),
    "info": ("diffsr_hub.hub.verbs:info_main", "show what a folder or a repository holds"),
    "list": ("diffsr_hub.hub.verbs:list_main", "list the models on the Hub"),
    "card": ("diffsr_hub.hub.verbs:card_main", "write a folder's README.md anew"),
}
"""verb → (its `main`, what it does); the package of its `main` is also the name of the extra that it needs"""


@exit_codes()
def main(argv: Sequence[str] | None = None) -> None:
    """Run one verb with the arguments after it.

    Args:
        argv: the command line without the program's name; None for the process's own.
    """
    verb, *rest = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if verb in ("-h", "--help"):
        print(_help())
    elif verb == "--version":
        print(f"diffsr-hub {__version__}")
    elif verb in VERBS:
        _run(verb, rest)
    else:
        raise unknown("verb", verb, VERBS)


def _run(verb: str, arguments: Sequence[str]) -> None:
    module, _, name = VERBS[verb][0].partition(":")
    package = module.partition(".")[0]
    try:
        program: Callable[[Sequence[str]], None] = getattr(importlib.import_module(module), name)
        program(arguments)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("", package, "diffsr_hub"):  # a mistake of ours: its traceback is needed
            raise
        raise UserError(
            f"diffsr {verb} needs {missing}, which comes with an extra: pip install 'diffsr-hub[{package}]'"
        ) from error


def _help() -> str:
    width = max(map(len, VERBS))
    verbs = [f"  {verb:<{width}}  {summary}" for verb, (_, summary) in VERBS.items()]
    return "\n".join(
        [
            "usage: diffsr VERB [arguments]",
            "",
            "Pretrained diffusion spectral representations for reinforcement learning.",
            "",
            "verbs:",
            *verbs,
            "",
            "diffsr VERB --help    what a verb takes",
            "diffsr --version      the installed version",
        ]
    )


if __name__ == "__main__":
    main()
