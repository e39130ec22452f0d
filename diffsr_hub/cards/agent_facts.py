"""What the card of an agent says."""

import re
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from diffsr_hub.cards.facts import Facts, about_ours, config_of, read, remote_datasets, require
from diffsr_hub.errors import plain
from diffsr_hub.saved.file_names import CURVE, EVALUATION, RESULTS, TRAINING, VIDEO

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


def agent_facts(folder: Path, source: str) -> dict[str, Any]:
    """What the template `agent.md` needs, from `config.json`, `training.json`, `evaluation.json` and `results.json`.

    Args:
        folder: The agent folder.
        source: What the card tells readers to load.

    Raises:
        UserError: A file or a fact is missing.
    """
    require(folder, CURVE)
    config, training = config_of(folder, "Agent"), read(folder / TRAINING)
    results = read(folder / RESULTS)
    environment, encoder = config["env_id"], training["encoder"] if training.get("encoder") else None
    datasets = training["datasets"] if training.get("datasets") else []
    return {
        "source": source,
        "config": config,
        "training": training,
        "encoder": encoder,
        "datasets": datasets,
        "results": results,
        "evaluation": read(folder / EVALUATION)["evaluations"][-1],
        "video": (folder / VIDEO).exists(),
        "environment": environment,
        "metadata": ModelCardData(
            **about_ours("deep-reinforcement-learning", "agent", plain(environment)),
            datasets=remote_datasets(datasets),
            base_model=_base_model(encoder),
            model_name=f"diffsr-{plain(environment)}",
            eval_results=[_return(plain(environment), results)],
        ),
    }


def _return(environment: str, results: Facts) -> EvalResult:
    """The return as leaderboards of the Hub read it."""
    return EvalResult(
        task_type="reinforcement-learning",
        task_name=environment,
        dataset_type=environment,
        dataset_name=environment,
        metric_type="mean_reward",
        metric_name="mean_reward",
        metric_value=f"{results['mean_reward']:.2f} +/- {results['std_reward']:.2f}",
    )


def _base_model(encoder: Facts | None) -> str | None:
    """The repository of the encoder; None for a folder of somebody's machine."""
    if encoder is None or not encoder.get("revision"):
        return None
    return encoder["source"] if _REPOSITORY.fullmatch(encoder["source"]) else None
