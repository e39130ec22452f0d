"""Pretrain on the bundled datasets with several seeds, and tabulate what the encoders know.

    python benchmarks/studies/encoders.py                 # trains robots x seeds, then prints the table
    python benchmarks/studies/encoders.py --train false   # the table alone, from the results that are there

What is kept of a run is its encoder's `diagnostics.json`, and of the first seed the picture and `dataset.json` too.
"""

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import numpy as np
from jsonargparse import auto_cli

from benchmarks.studies import study
from diffsr_hub.data.minari.ids import bundled
from diffsr_hub.errors import exit_codes
from diffsr_hub.studies.statistics import estimate

RESULTS = study.ROOT / "docs" / "results"
COLUMNS: dict[str, Callable[[dict[str, Any]], float]] = {
    "loss": lambda report: report["loss"]["mean"]["encoder"],
    "loss, linear dynamics": lambda report: report["loss"]["mean"]["linear_dynamics"],
    "change of state: ψ": lambda report: report["probes"]["change"]["psi"],
    "random ψ": lambda report: report["probes"]["change"]["random_psi"],
    "(s, a)": lambda report: report["probes"]["change"]["raw"],
    "return: ψ": lambda report: report["probes"]["return"]["psi"],
    "random ψ ": lambda report: report["probes"]["return"]["random_psi"],
    "(s, a) ": lambda report: report["probes"]["return"]["raw"],
    "return, φ_ω of ψ": lambda report: report["probes"]["return_fourier"]["psi"],
    "φ_ω of random ψ": lambda report: report["probes"]["return_fourier"]["random_psi"],
    "φ_ω of (s, a)": lambda report: report["probes"]["return_fourier"]["raw"],
    "samples: error": lambda report: float(np.median(report["samples"]["rmse"])),
    "spread / error": lambda report: float(np.median(report["samples"]["spread_over_rmse"])),
    "effective rank": lambda report: report["spectrum"]["psi"]["effective_rank"],
}


def pretrain(robot: str, seed: int, runs: Path) -> None:
    """Train one encoder and keep what it knows."""
    run = runs / f"{robot}-{seed}"
    flags = ["--download", "false", "--progress", "false", "--seed", str(seed), "--run_dir", str(run)]
    study.program("pretrain/fit.py", "--dataset", bundled(f"mujoco/{robot}"), *flags)
    kept = RESULTS / robot
    kept.mkdir(parents=True, exist_ok=True)
    shutil.copy(run / "encoder" / "diagnostics.json", kept / f"diagnostics-{seed}.json")
    if seed == 0:
        for name in ("diagnostics.png", "dataset.json"):
            shutil.copy(run / "encoder" / name, kept / name)


def table(robots: Sequence[str]) -> str:
    """One line for each quantity, one column for each robot."""
    reports = {
        robot: [json.loads(f.read_text()) for f in sorted((RESULTS / robot).glob("diagnostics-*.json"))]
        for robot in robots
    }
    lines = [
        "| | " + " | ".join(f"{robot}, {len(reports[robot])} seeds" for robot in robots) + " |",
        "|---" * (len(robots) + 1) + "|",
    ]
    for name, read in COLUMNS.items():
        cells = [f"{estimate([read(report) for report in reports[robot]]):.3g}" for robot in robots]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(
    robots: tuple[str, ...] = ("hopper", "halfcheetah", "walker2d"),
    seeds: int = 3,
    runs: Path = Path("runs/encoders"),
    processes: int = 2,
    train: bool = True,
) -> None:
    """Train, then print the table.

    Args:
        robots: Which of the bundled datasets.
        seeds: Number of seeds.
        runs: Where the runs go.
        processes: Runs at a time.
        train: Whether to train, or only to print the table.
    """
    if train:
        # The first seed of every robot alone, so that two processes do not collect the same dataset.
        for chosen in (range(1), range(1, seeds)):
            jobs = [partial(pretrain, robot, seed, runs) for seed in chosen for robot in robots]
            study.carry_out(ThreadPoolExecutor(processes), jobs)
    print(table(robots))


if __name__ == "__main__":
    with exit_codes():
        auto_cli(main, as_positional=False)
