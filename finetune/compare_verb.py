"""`diffsr compare`: what the seeds of several arms came to, as table, JSON and picture."""

from collections.abc import Sequence
from pathlib import Path

from diffsr_hub.command import verb_parser
from diffsr_hub.errors import exit_codes
from diffsr_hub.pretrained import write_json, write_text

DESCRIPTION = """Group runs by task and arm, and compare the arms over their seeds: final value, area under the learning
curve, steps to a threshold. Writes comparison.md, comparison.json and comparison.png."""


@exit_codes()
def main(argv: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = verb_parser("compare", DESCRIPTION)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUNS", help="run folders, or folders above run folders")
    parser.add_argument("--out", type=Path, default=Path("comparison"), metavar="FOLDER", help="default: comparison")
    parser.add_argument("--reference", metavar="ARM", help="whose final value is the threshold; default: scratch")
    parser.add_argument("--threshold", type=float, metavar="X", help="one for all tasks, instead of that")
    parser.add_argument(
        "--measure", default="mean_return", choices=("mean_return", "success_rate"), help="default: mean_return"
    )
    options = parser.parse_args(argv)
    write_comparison(
        options.runs, options.out, reference=options.reference, threshold=options.threshold, measure=options.measure
    )


def write_comparison(
    paths: Sequence[Path],
    out: Path,
    *,
    reference: str | None = None,
    threshold: float | None = None,
    measure: str = "mean_return",
) -> None:
    """Compare the runs in `paths`, write the three files into `out` and print the table.

    Raises:
        UserError: as `read_runs` and `compare`.
    """
    from finetune.comparison import compare
    from finetune.comparison_picture import draw
    from finetune.comparison_table import table
    from finetune.recorded_runs import read_runs

    comparison = compare(read_runs(paths), reference=reference, threshold=threshold, measure=measure)
    text = table(comparison)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "comparison.md", text)
    write_json(out / "comparison.json", comparison.summary())
    draw(comparison, out / "comparison.png")
    print(text)
    print(f"written to {out}: comparison.md, comparison.json, comparison.png")
