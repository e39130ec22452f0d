"""`diffsr compare`: what the seeds of several arms came to, as table, JSON and picture."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffsr_hub.errors import exit_codes
from diffsr_hub.files.atomic import write_json, write_text
from diffsr_hub.runs.command import VerbParser, verb_parser, words

if TYPE_CHECKING:
    from diffsr_hub.studies.comparison import Comparison

DESCRIPTION = """Group runs by task and arm, and compare the arms over their seeds: final value, area under the learning
curve, steps to a threshold. Writes comparison.md, comparison.json and comparison.png."""


@exit_codes()
def main(argv: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = parser_of_runs("compare", DESCRIPTION, out="comparison")
    parser.add_argument("--arms", metavar="A,B", help="only these, in this order; default: all")
    parser.add_argument("--reference", metavar="ARM", help="whose final value is the threshold; default: scratch")
    parser.add_argument("--threshold", type=float, metavar="X", help="one for all tasks, instead of that")
    parser.add_argument(
        "--measure", default="mean_return", choices=("mean_return", "success_rate"), help="default: mean_return"
    )
    options = parser.parse_args(argv)
    write_comparison(
        options.runs,
        options.out,
        arms=None if options.arms is None else words("arms", options.arms),
        reference=options.reference,
        threshold=options.threshold,
        measure=options.measure,
    )


def write_comparison(
    paths: Sequence[Path],
    out: Path,
    *,
    arms: Sequence[str] | None = None,
    reference: str | None = None,
    threshold: float | None = None,
    measure: str = "mean_return",
) -> "Comparison":
    """Compare the runs in `paths`, write the three files into `out` and print the table; returns the comparison.

    The other arguments are those of `compare`.

    Raises:
        UserError: as `read_runs` and `compare`.
    """
    from diffsr_hub.studies.comparison import compare
    from diffsr_hub.studies.comparison_picture import draw
    from diffsr_hub.studies.comparison_table import table
    from diffsr_hub.studies.recorded_runs import read_runs

    comparison = compare(read_runs(paths), arms=arms, reference=reference, threshold=threshold, measure=measure)
    write_out(out, "comparison", table(comparison), comparison.summary(), partial(draw, comparison))
    return comparison


def parser_of_runs(verb: str, description: str, *, out: str) -> VerbParser:
    """A parser for a verb that reads runs and writes into a folder, `out` by default."""
    parser = verb_parser(verb, description)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUNS", help="run folders, or folders above run folders")
    parser.add_argument("--out", type=Path, default=Path(out), metavar="FOLDER", help=f"default: {out}")
    return parser


def write_out(out: Path, name: str, text: str, summary: Mapping[str, Any], draw: Callable[[Path], None]) -> None:
    """Write what runs came to as Markdown, JSON and picture, and print the Markdown."""
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / f"{name}.md", text)
    write_json(out / f"{name}.json", summary)
    draw(out / f"{name}.png")
    print(text)
    print(f"written to {out}: {name}.md, {name}.json, {name}.png")
