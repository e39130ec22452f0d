"""The agent folder: weights, configuration, provenance, what the agent earns, film and card, all or nothing."""

import shutil
from datetime import UTC, datetime
from typing import Any

from diffsr_hub.cards.card import write_card
from diffsr_hub.files.atomic import whole_folder, write_json
from diffsr_hub.saved.file_names import CURVE, EVALUATION, RESULTS, TRAINING, VIDEO
from finetune.agent.agent import Agent
from finetune.running.run_folder import RunFolder


def export(agent: Agent, run: RunFolder, made_of: dict[str, Any], last: dict[str, Any]) -> None:
    """Write the folder of a trained agent; an older one there is replaced.

    Args:
        agent: What was trained.
        run: Its run, from which the evaluations, the learning curve and, where there is one, the film are copied.
        made_of: Provenance, for `training.json`.
        last: Its last evaluation, for `results.json`.
    """
    with whole_folder(run.agent) as partial:
        agent.save_pretrained(partial)
        write_json(partial / TRAINING, made_of)
        write_json(partial / RESULTS, results(last))
        shutil.copyfile(run.evaluation, partial / EVALUATION)
        shutil.copyfile(run.curve.with_suffix(".png"), partial / CURVE)
        if run.video.is_file():
            shutil.copyfile(run.video, partial / VIDEO)
        write_card(partial)


def results(evaluation: dict[str, Any]) -> dict[str, Any]:
    """An evaluation in the format of Stable-Baselines3's `results.json` on the Hub."""
    return {
        "mean_reward": evaluation["mean_return"],
        "std_reward": evaluation["std_return"],
        "is_deterministic": True,
        "n_eval_episodes": len(evaluation["returns"]),
        "eval_datetime": datetime.now(UTC).isoformat(timespec="seconds"),
    }
