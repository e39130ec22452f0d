"""`diffsr matrix`: encoders × tasks, the gain of each over learning from scratch."""

import shlex
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from diffsr_hub.errors import exit_codes
from diffsr_hub.runs.command import words
from diffsr_hub.studies.compare_verb import parser_of_runs, write_out
from diffsr_hub.studies.comparison import REFERENCE
from diffsr_hub.studies.matrix import Value

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
        "--value", default="over_run", choices=("over_run", "final"), help="of a learning curve; default: over_run"
    )
    parser.add_argument(
        "--measure",
        choices=("mean_return", "success_rate"),
        help="default: the success rate in tasks that have one, else the return",
    )
    options = parser.parse_args(arguments)
    write_matrix(
        options.runs,
        options.out,
        command=shlex.join(["diffsr", "matrix", *arguments]),
        arms=None if options.arms is None else words("arms", options.arms),
        reference=options.reference,
        value=options.value,
        measure=options.measure,
    )


def write_matrix(
    paths: Sequence[Path],
    out: Path,
    *,
    command: str,
    arms: Sequence[str] | None = None,
    reference: str = REFERENCE,
    value: Value = "over_run",
    measure: str | None = None,
) -> None:
    """Make the matrix of the runs in `paths`, write the three files into `out` and print the table.

    `command` repeats this and is noted in `matrix.json`; what comes after it is as `matrix` takes it.

    Raises:
        UserError: as `read_runs` and `matrix`.
    """
    from diffsr_hub.studies.matrix import matrix
    from diffsr_hub.studies.matrix_picture import draw
    from diffsr_hub.studies.matrix_table import table
    from diffsr_hub.studies.recorded_runs import read_runs

    found = matrix(read_runs(paths), arms=arms, reference=reference, value=value, measure=measure)
    write_out(out, "matrix", table(found), {"command": command, **found.summary()}, partial(draw, found))
