"""How often the interval of a gain leaves out 0 where there is nothing to gain, as the legend of a matrix says.

    python benchmarks/studies/bold_by_chance.py

Both arms are drawn from one normal distribution, again and again.
"""

import sys
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import numpy as np

from benchmarks.program import start
from diffsr_hub.presentation.markdown import markdown_table
from diffsr_hub.studies.matrix_table import leaves_out_zero
from diffsr_hub.studies.statistics import mean_difference

CASES = ((1, 3), (1, 5), (1, 10), (3, 3), (4, 3))
"""tasks, seeds of each arm"""


def share(tasks: int, seeds: int, draws: int) -> float:
    """Of the draws, those whose interval leaves out 0."""
    values = np.random.default_rng(0).normal(size=(draws, tasks, 2, seeds))
    return float(np.mean([leaves_out_zero(mean_difference(draw.tolist())) for draw in values]))


def main(draws: int = 1000) -> None:
    """Print the share of each case.

    Args:
        draws: Of each.
    """
    rows = [[str(tasks), str(seeds), f"{share(tasks, seeds, draws):.1%}"] for tasks, seeds in CASES]
    print(markdown_table([["tasks", "seeds of each arm", "interval without 0"], *rows]))


if __name__ == "__main__":
    start(main)
