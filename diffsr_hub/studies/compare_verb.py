"""`diffsr compare`: the configurations of some runs, compared over their seeds, as table, JSON and picture."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from diffsr_hub.errors import exit_codes
from diffsr_hub.studies.measure import MEASURES, RETURN, measure_named
from diffsr_hub.studies.verb_of_runs import names, parser_of_runs, runs_in, write_out

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
        "--measure", default=RETURN.name, choices=tuple(MEASURES), help=f"of an evaluation; default: {RETURN.name}"
    )
    options = parser.parse_args(argv)
    write_comparison(
        options.runs,
        options.out,
        tasks=names(options, "tasks"),
        arms=names(options, "arms"),
        reference=options.reference,
        threshold=options.threshold,
        measure=options.measure,
    )


def write_comparison(
    paths: Sequence[Path],
    out: Path,
    *,
    tasks: Sequence[str] | None = None,
    arms: Sequence[str] | None = None,
    reference: str | None = None,
    threshold: float | None = None,
    measure: str = RETURN.name,
) -> "Comparison":
    """Compare the runs in `paths`, write the three files into `out` and print the table; returns the comparison.

    The other arguments are those of `runs_in` and `compare`.

    Raises:
        UserError: as `runs_in` and `compare`.
    """
    from diffsr_hub.studies.comparison import compare
    from diffsr_hub.studies.comparison_picture import draw
    from diffsr_hub.studies.comparison_table import table

    runs = runs_in(paths, tasks, measure_named(measure))
    comparison = compare(runs, arms=arms, reference=reference, threshold=threshold, measure=measure)
    write_out(out, "comparison", table(comparison), comparison.summary(), partial(draw, comparison))
    return comparison
