"""Pretrain on the bundled datasets with several seeds, and tabulate what the encoders know.

    python benchmarks/studies/encoders.py                 # trains what is missing, then prints the table
    python benchmarks/studies/encoders.py --train false   # the table alone, from the results that are there

Kept of an encoder: its `diagnostics.json` and its `dataset.json`, a line of results/encoders.jsonl, and of the first
seed the picture, in docs/generated/encoders. The encoders are those of benchmarks/studies/transfer.py.
"""

import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import numpy as np

from benchmarks.program import ROOT, start
from benchmarks.studies import study
from benchmarks.studies.results import Results, read
from diffsr_hub.errors import unknown
from diffsr_hub.files.json_lines import Record
from diffsr_hub.presentation.markdown import markdown_table
from diffsr_hub.saved.file_names import DATASET, DIAGNOSTICS, PICTURE
from diffsr_hub.studies.statistics import estimate

RESULTS = Results("encoders")
ROBOTS = ("hopper", "halfcheetah", "walker2d")
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


def record(robot: str, seed: int, runs: Path) -> Record:
    """What is kept of one encoder."""
    encoder = runs / f"{robot}-{seed}" / "encoder"
    facts = {"diagnostics": read(encoder / DIAGNOSTICS), "dataset": read(encoder / DATASET)}
    return {"robot": robot, "seed": seed, **facts}


def keep(robots: Sequence[str], seeds: Sequence[int], runs: Path, results: Results) -> None:
    """Keep what the encoders know, and of each robot's first one the picture."""
    results.add([record(robot, seed, runs) for robot in robots for seed in seeds], key=("robot", "seed"))
    results.shown.mkdir(parents=True, exist_ok=True)
    for robot in robots:
        shutil.copy(runs / f"{robot}-{seeds[0]}" / "encoder" / PICTURE, results.shown / f"{robot}.png")


def table(records: Sequence[Record], robots: Sequence[str]) -> str:
    """One line for each quantity, one column for each robot.

    Raises:
        UserError: There is no encoder of one of the robots.
    """
    reports = {name: [each["diagnostics"] for each in records if each["robot"] == name] for name in robots}
    for robot, found in reports.items():
        if not found:
            raise unknown("robot", robot, {each["robot"] for each in records})
    rows = [["", *(f"{robot}, {len(found)} seeds" for robot, found in reports.items())]]
    for name, value in COLUMNS.items():
        rows.append([name, *(f"{estimate([value(report) for report in found]):.3g}" for found in reports.values())])
    return markdown_table(rows)


def main(
    robots: tuple[str, ...] = ROBOTS,
    seeds: int = 3,
    pretrain_steps: int = 20_000,
    runs: Path = study.ENCODERS,
    processes: int = 2,
    train: bool = True,
    root: Path = ROOT,
) -> None:
    """Train, then print the table.

    Args:
        robots: Which of the bundled datasets.
        seeds: Number of seeds.
        pretrain_steps: Updates of every encoder that is missing.
        runs: Where the runs go.
        processes: Runs at a time.
        train: Whether to train, or only to print the table.
        root: The folder whose results/ and docs/generated/ are written.
    """
    results = Results("encoders", root)
    if train:
        study.pretrain_robots(robots, range(seeds), steps=pretrain_steps, workers=processes, folder=runs)
        keep(robots, range(seeds), runs, results)
    print(table(results.records(), robots))


if __name__ == "__main__":
    start(main)
