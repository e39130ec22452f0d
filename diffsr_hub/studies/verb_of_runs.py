"""What the verbs that read runs have in common: how they are told which, and the three files that they write."""

from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffsr_hub.files.atomic import write_json, write_text
from diffsr_hub.runs.command import VerbParser, verb_parser, words

if TYPE_CHECKING:
    from diffsr_hub.studies.measure import Measure
    from diffsr_hub.studies.recorded_runs import Run


def parser_of_runs(verb: str, description: str, *, out: str) -> VerbParser:
    """A parser for a verb that reads runs and writes into a folder, `out` by default."""
    parser = verb_parser(verb, description)
    parser.add_argument(
        "runs", nargs="+", type=Path, metavar="RUNS", help="run folders, folders above them, or .jsonl files of results"
    )
    parser.add_argument("--tasks", metavar="A,B", help="only these; default: all")
    parser.add_argument("--out", type=Path, default=Path(out), metavar="FOLDER", help=f"default: {out}")
    return parser


def names(options: Namespace, name: str) -> list[str] | None:
    """An option that takes several names; None where it was not given."""
    given = getattr(options, name)
    return None if given is None else words(name, given)


def runs_in(paths: Iterable[Path], tasks: Sequence[str] | None, measure: "Measure | None") -> list["Run"]:
    """The runs to be compared; says which tasks are left out, because none of their runs knows the measure.

    Args:
        paths: As of `read_runs`.
        tasks: Only these; None for all.
        measure: What is compared; None for whatever a task has.

    Raises:
        UserError: as `read_runs`, or there is no run in one of the tasks, or none knows the measure.
    """
    from diffsr_hub.studies.aligned import in_tasks, require_measure
    from diffsr_hub.studies.recorded_runs import read_runs

    runs = read_runs(paths)
    if tasks is not None:
        runs = in_tasks(runs, tasks)
    if measure is None:
        return runs
    known = {run.env for run in runs if measure.name in run.measures}
    if not known:
        require_measure(runs, measure)
    if others := sorted({run.env for run in runs} - known):
        print(f"left out, as no run there has a {measure.title}: {', '.join(others)}")
    return [run for run in runs if run.env in known]


def write_out(out: Path, name: str, text: str, summary: Mapping[str, Any], draw: Callable[[Path], None]) -> None:
    """Write the result of a comparison as Markdown, JSON and picture, and print the Markdown."""
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / f"{name}.md", text)
    write_json(out / f"{name}.json", summary)
    draw(out / f"{name}.png")
    print(text)
    print(f"written to {out}: {name}.md, {name}.json, {name}.png")
