"""Stable-Baselines3's SAC under the protocol of our own runs, so that `diffsr compare` can set it beside them.

    python benchmarks/studies/sac.py --env Hopper-v5 --seed 0 --run_dir runs/Hopper-v5-sac-0

Leaves `evaluation.json`: the same steps of evaluation, the same episodes, the same clock.
"""

import sys
import time
from pathlib import Path
from typing import Any

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import torch
from stable_baselines3 import SAC

from benchmarks.program import start
from diffsr_hub.files.atomic import write_json
from diffsr_hub.studies.recorded_runs import RECORD
from finetune.acting.environments import make
from finetune.acting.evaluation import evaluate
from finetune.train import EVALUATION_SEED

ARM = "sac"


def main(
    env: str, run_dir: Path, seed: int = 0, total_steps: int = 30_000, eval_every: int = 2_000, episodes: int = 10
) -> None:
    """Train with the defaults of Stable-Baselines3 and evaluate on the way.

    Args:
        env: Gymnasium id.
        run_dir: Where `evaluation.json` goes; rewritten after every evaluation.
        seed: Of the run.
        total_steps: Environment steps.
        eval_every: Steps between two evaluations.
        episodes: Per evaluation.
    """
    torch.set_num_threads(1)
    model = SAC("MlpPolicy", make(env), seed=seed, device="cpu")
    evaluations: list[dict[str, Any]] = []
    seconds = 0.0
    run_dir.mkdir(parents=True, exist_ok=True)
    for step in range(0, total_steps + 1, eval_every):
        if step:
            start = time.process_time()
            model.learn(eval_every, reset_num_timesteps=False)
            seconds += time.process_time() - start
        result = evaluate(model, env, episodes, EVALUATION_SEED)
        evaluations.append({"step": step, "seconds": seconds, **result.summary()})
        write_json(run_dir / RECORD, {"arm": ARM, "env": env, "seed": seed, "evaluations": evaluations})


if __name__ == "__main__":
    start(main)
