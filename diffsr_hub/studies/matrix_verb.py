"""`diffsr matrix`: encoders × tasks, the gain of each over learning from scratch."""

import shlex
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import get_args

from diffsr_hub.errors import exit_codes
from diffsr_hub.studies.comparison import REFERENCE
from diffsr_hub.studies.matrix import Value
from diffsr_hub.studies.measure import MEASURES, measure_named
from diffsr_hub.studies.verb_of_runs import names, parser_of_runs, runs_in, write_out

DESCRIPTION = """Transfer matrix of runs: a row for each arm (a sweep over encoders names its arms after them), a column
for each task, in each cell the gain over scratch with its interval. Writes matrix.md, matrix.json and matrix.png."""


@exit_codes()
def main(argv: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    parser = parser_of_runs("matrix", DESCRIPTION, out="matrix")
    parser.add_argument("--arms", metavar="A,B", help="the rows, in this order; default: all arms but the reference")
    parser.add_argument("--reference", default=REFERENCE, metavar="ARM", help=f"default: {REFERENCE}")
    parser.add_argument(
        "--value", default="over_run", choices=get_args(Value), help="of a learning curve; default: over_run"
    )
    parser.add_argument(
        "--measure",
        choices=tuple(MEASURES),
        help="default: the success rate in tasks that have one, else the return",
    )
    options = parser.parse_args(arguments)
    write_matrix(
        options.runs,
        options.out,
        command=shlex.join(["diffsr", "matrix", *arguments]),
        tasks=names(options, "tasks"),
        arms=names(options, "arms"),
        reference=options.reference,
        value=options.value,
        measure=options.measure,
    )


def write_matrix(
    paths: Sequence[Path],
    out: Path,
    *,
    command: str,
    tasks: Sequence[str] | None = None,
    arms: Sequence[str] | None = None,
    reference: str = REFERENCE,
    value: Value = "over_run",
    measure: str | None = None,
) -> None:
    """Make the matrix of the runs in `paths`, write the three files into `out` and print the table.

    `command` repeats this and is noted in `matrix.json`; the other arguments are those of `runs_in` and `matrix`.

    Raises:
        UserError: as `runs_in` and `matrix`.
    """
    from diffsr_hub.studies.matrix import matrix
    from diffsr_hub.studies.matrix_picture import draw
    from diffsr_hub.studies.matrix_table import table

    runs = runs_in(paths, tasks, None if measure is None else measure_named(measure))
    found = matrix(runs, arms=arms, reference=reference, value=value, measure=measure)
    write_out(out, "matrix", table(found), {"command": command, **found.summary()}, partial(draw, found))
