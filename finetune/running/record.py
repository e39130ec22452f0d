"""What a run writes while it goes on: tables, TensorBoard, the learning curve."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from diffsr_hub.files.atomic import write_json, write_text
from diffsr_hub.presentation.picture import write_picture
from finetune.acting.evaluation import Evaluation
from finetune.running.run_folder import RunFolder

CURVE = ("step", "mean_return", "std_return", "mean_length", "success_rate", "seconds")


class Record:
    """Rows of progress and evaluations; its state goes into the checkpoint, so that a resumed run repeats no row.

    Args:
        folder: Where the files go.
        env: Gymnasium id.
        arm: Name under which the run is compared.
        seed: Of the run.
    """

    def __init__(self, folder: RunFolder, *, env: str, arm: str, seed: int) -> None:
        self.folder, self.env, self.arm, self.seed = folder, env, arm, seed
        self.rows: list[dict[str, float]] = []
        self.evaluations: list[dict[str, Any]] = []
        self.tensorboard: Any = None

    @property
    def latest_return(self) -> float:
        """Mean return of the last evaluation; NaN before the first."""
        return float(self.evaluations[-1]["mean_return"]) if self.evaluations else float("nan")

    def log(self, row: Mapping[str, float]) -> None:
        """Add a row to `progress.csv` and to TensorBoard.

        Args:
            row: Numbers by name, `step` among them.
        """
        step = int(row["step"])
        if self.tensorboard is None:
            from torch.utils.tensorboard import SummaryWriter

            self.tensorboard = SummaryWriter(str(self.folder.tensorboard), purge_step=step)
        self.rows.append(dict(row))
        _write_csv(self.folder.progress, self.rows)
        for name, value in row.items():
            self.tensorboard.add_scalar(f"train/{name}", value, step)

    def evaluated(self, step: int, seconds: float, evaluation: Evaluation) -> None:
        """Add an evaluation to `learning_curve.csv`, its picture and `evaluation.json`.

        Args:
            step: Environment steps so far.
            seconds: CPU time of training so far, without evaluations.
            evaluation: What the deterministic policy earned.
        """
        self.evaluations.append({"step": step, "seconds": seconds, **evaluation.summary()})
        _write_csv(self.folder.curve, [{key: row[key] for key in CURVE if key in row} for row in self.evaluations])
        about = {"arm": self.arm, "env": self.env, "seed": self.seed}
        write_json(self.folder.evaluation, {**about, "evaluations": self.evaluations})

    def close(self) -> None:
        """Let TensorBoard finish its file."""
        if self.tensorboard is not None:
            self.tensorboard.close()

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"rows": self.rows, "evaluations": self.evaluations}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.rows, self.evaluations = state["rows"], state["evaluations"]

    def draw(self) -> None:
        """Write the picture of the learning curve."""
        from matplotlib.figure import Figure

        steps = [row["step"] for row in self.evaluations]
        figure = Figure(figsize=(6, 3.5), layout="constrained")
        axes = figure.subplots()
        for row in self.evaluations:
            axes.plot([row["step"]] * len(row["returns"]), row["returns"], ".", color="0.7", markersize=3)
        axes.plot(steps, [row["mean_return"] for row in self.evaluations], color="C0", label="mean of the episodes")
        axes.set(xlabel="environment steps", ylabel="return", title=f"{self.env}, {self.arm}")
        axes.legend(frameon=False)
        write_picture(figure, self.folder.curve.with_suffix(".png"), dpi=120)


def _write_csv(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(file, text.getvalue())
