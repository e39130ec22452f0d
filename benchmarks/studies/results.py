"""What is kept of a study, one file of raw results, and what is made of it: tables, pictures, the numbers on cards."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.program import ROOT
from diffsr_hub.cards.card import write_card
from diffsr_hub.files.atomic import write_json
from diffsr_hub.files.json_lines import Record, read_json_lines, write_json_lines
from diffsr_hub.saved.file_names import TRANSFER
from diffsr_hub.studies.comparison import REFERENCE, TaskComparison
from diffsr_hub.studies.matrix_verb import write_matrix
from diffsr_hub.studies.recorded_runs import RECORD, Run, read_runs
from diffsr_hub.studies.statistics import Waiting

RUN = ("env", "arm", "seed")
"""what tells the record of one run from others"""


@dataclass(frozen=True)
class Results:
    """The places of a study."""

    study: str
    root: Path = ROOT
    """the folder with results/, docs/generated/ and model_cards/: this checkout, or another place"""

    @property
    def file(self) -> Path:
        """Raw results, from which everything else is made."""
        return self.root / "results" / f"{self.study}.jsonl"

    @property
    def shown(self) -> Path:
        """Tables and pictures."""
        return self.root / "docs" / "generated" / self.study

    @property
    def cards(self) -> Path:
        """Cards of released encoders, a folder each."""
        return self.root / "model_cards"

    def runs(self) -> list[Run]:
        """The recorded runs.

        Raises:
            UserError: There are none yet.
        """
        return read_runs([self.file])

    def records(self) -> list[Record]:
        """The raw results as they are; none where there are none yet."""
        return read_json_lines(self.file) if self.file.is_file() else []

    def add(self, records: Iterable[Record], key: Sequence[str] = RUN) -> None:
        """Add raw results, or replace those with the same values of `key`; the file stays sorted by these."""
        merged = {tuple(record[name] for name in key): record for record in (*self.records(), *records)}
        write_json_lines(self.file, [merged[values] for values in sorted(merged)])

    @contextmanager
    def keeping(self, runs: Path, more: Mapping[str, str] | None = None) -> Iterator[None]:
        """Keep the results of the runs below a folder at the end, also after Ctrl-C or a failure."""
        try:
            yield
        finally:
            if found := list(recorded(runs, more or {})):
                self.add(found)


def recorded(runs: Path, more: Mapping[str, str]) -> Iterator[Record]:
    """The records of all runs TASK/ARM/seed-N below a folder, complete or not, with every episode.

    Args:
        runs: The folder.
        more: Files beside the records that belong to them, by the key under which their content is added.
    """
    for file in sorted(runs.glob(f"*/*/*/{RECORD}")):
        others = {key: file.with_name(name) for key, name in more.items()}
        yield read(file) | {key: read(other) for key, other in others.items() if other.is_file()}


def read(file: Path) -> Any:
    """The content of a JSON file that a run has left."""
    return json.loads(file.read_text(encoding="utf-8"))


def runs_beside(arm: str, order: Iterable[str], runs: Iterable[Run]) -> tuple[list[str], list[str]]:
    """The tasks that have runs of an arm, and of which arms in `order` there are any there."""
    arms_of: dict[str, set[str]] = {}
    for run in runs:
        arms_of.setdefault(run.env, set()).add(run.arm)
    tasks = sorted(env for env, arms in arms_of.items() if arm in arms)
    return tasks, [name for name in order if any(name in arms_of[env] for env in tasks)]


def draw_matrix(order: Iterable[str], results: Results, reference: str = REFERENCE) -> None:
    """Write the transfer matrix of the tasks that have runs of the reference, if they have others too.

    Args:
        order: Of the rows; an arm that is not in it has none.
        results: The gains over another reference than scratch go into a folder of its name.
        reference: Arm to which the others are compared.
    """
    tasks, found = runs_beside(reference, order, results.runs())
    if rows := [arm for arm in found if arm != reference]:
        out = results.shown if reference == REFERENCE else results.shown / reference
        special = "" if reference == REFERENCE else f" --reference {reference}"
        chosen = f"--tasks {','.join(tasks)}{special} --arms {','.join(rows)}"
        places = [place.relative_to(results.root).as_posix() for place in (results.file, out)]
        command = f"diffsr matrix {places[0]} {chosen} --out {places[1]}"
        write_matrix([results.file], out, command=command, tasks=tasks, arms=rows, reference=reference)


def write_saved(card: Path, about: dict[str, Any], tasks: Iterable[TaskComparison]) -> None:
    """Write what an encoder saved beside its card, and the card anew; nothing without a card, or runs to tell of.

    Args:
        card: Folder in model_cards/, named after the encoder.
        about: The head of `transfer.json`; `arms` says what those are that the card shows, in this order.
        tasks: To be shown.
    """
    shown = {task.env: {arm.name: arm for arm in task.arms} for task in tasks}
    rows = [
        {"task": env, "arm": name, "steps": waited_for(waited), "final": asdict(arms[name].final)}
        for env, arms in shown.items()
        for name in about["arms"]
        if name in arms and (waited := arms[name].to_threshold)
    ]
    if rows and card.is_dir():
        write_json(card / TRANSFER, {**about, "rows": rows})
        write_card(card, f"diffsr-hub/{card.name}")


def waited_for(waited: Waiting) -> dict[str, Any]:
    """The `steps` of a row of `transfer.json`."""
    return {**asdict(waited.steps), "reached": waited.reached, "seeds": waited.runs}
