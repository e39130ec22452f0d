"""Run folders as `finetune.train` leaves them, without a training."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def record_run(
    folder: Path,
    returns: Sequence[float],
    *,
    arm: str = "scratch",
    env: str = "Hopper-v5",
    seed: int = 0,
    every: int = 10,
    **more: Sequence[float],
) -> Path:
    """Write an `evaluation.json`, with an evaluation every few steps and half a second of CPU time a step."""
    evaluations: list[dict[str, Any]] = [
        {"step": i * every, "seconds": i * every / 2, "mean_return": value, "returns": [value], "lengths": [5]}
        | {name: values[i] for name, values in more.items()}
        for i, value in enumerate(returns)
    ]
    folder.mkdir(parents=True)
    (folder / "evaluation.json").write_text(
        json.dumps({"arm": arm, "env": env, "seed": seed, "evaluations": evaluations})
    )
    return folder
