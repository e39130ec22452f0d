"""What a card says, read from the JSON files beside it; a fact that is missing is named."""

import re
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from diffsr_hub.errors import UserError, plain
from diffsr_hub.saved import exported_folder as names
from diffsr_hub.saved import model_folder as pretrained

MISSING = "{} has no {}: the card cannot be written without it"
FEW = 3
"""environments or datasets that a card names in a sentence each"""
PROBED = {"reward": "the reward", "change": "the change of state", "return": "the discounted return"}
_LARGEST = 16_000_000
"""bytes of a file: `evaluation.json` has every episode of a run"""
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


class Facts(dict[str, Any]):
    """A JSON object that knows what it is called, so that a missing or empty entry can be named.

    Args:
        name: Such as `dataset.json: training`.
        content: The object.
    """

    def __init__(self, name: str, content: dict[str, Any]) -> None:
        super().__init__(content)
        self.name = name

    def __getitem__(self, key: str) -> Any:
        value = self.get(key)
        if value is None or value in ("", [], {}):
            raise UserError(MISSING.format(self.name, key))
        return _named(f"{self.name}: {key}", value)


def encoder_facts(folder: Path, source: str) -> dict[str, Any]:
    """What the template `encoder.md` needs, from `config.json`, `dataset.json`, `diagnostics.json`, `transfer.json`.

    `transfer.json` is optional: what the encoder saved online, as a study found it.

    ```
    {"command": "python benchmarks/studies/transfer.py …",     how it was measured
     "source": "https://…",                            where the whole study is
     "total_steps": 30000,                             length of every run, in environment steps
     "measure": "success rate",                        what is compared; the return if left out
     "threshold": 0.5,                                 of it; what runs from scratch end with if left out
     "arms": {"frozen": "ψ as it was pretrained"},     what the runs are; optional
     "rows": [{"task": "Hopper-v5", "arm": "frozen",
               "steps": {"centre": 9000, "low": 8000, "high": 12000, "reached": 3, "seeds": 3},
               "final": {"centre": 2900.1, "low": 2700.0, "high": 3100.0}}]}
    ```

    `steps`: until the measure is at the threshold; interquartile mean over seeds with the bootstrap interval, a lower
    bound where not all of the `seeds` `reached` it. `final`, at the end of the run, is optional.

    Args:
        folder: The encoder folder.
        source: What the card tells readers to load.

    Raises:
        UserError: A file or a fact is missing.
    """
    _require(folder, names.PICTURE)
    dataset, report = _read(folder / names.DATASET), _read(folder / names.DIAGNOSTICS)
    environments = _environments(dataset["datasets"])
    tags = environments if len(environments) <= FEW else _families(environments)
    return {
        "source": source,
        "config": _config(folder, "DiffSR"),
        "datasets": dataset["datasets"],
        "software": dataset["software"],
        "training": dataset["training"],
        "report": report,
        "obscured": [label for target, label in PROBED.items() if _controls_are_ahead(report["probes"][target])],
        "transfer": _read(folder / names.TRANSFER) if (folder / names.TRANSFER).exists() else None,
        "environment": _summary(environments),
        "few": FEW,
        "behaviours": sorted({entry.get("algorithm_name") or "not recorded" for entry in dataset["datasets"]}),
        "metadata": ModelCardData(
            **_about_ours("representation-learning", "minari", *map(plain, tags)),
            datasets=_remote(dataset["datasets"]),
        ),
    }


def _controls_are_ahead(r2: Facts) -> bool:
    return bool(r2["psi"] < max(r2["random_psi"], r2["raw"]))


def agent_facts(folder: Path, source: str) -> dict[str, Any]:
    """What the template `agent.md` needs, from `config.json`, `training.json`, `evaluation.json` and `results.json`.

    Args:
        folder: The agent folder.
        source: What the card tells readers to load.

    Raises:
        UserError: A file or a fact is missing.
    """
    _require(folder, names.CURVE)
    config, training = _config(folder, "Agent"), _read(folder / names.TRAINING)
    results = _read(folder / names.RESULTS)
    environment, encoder = config["env_id"], training["encoder"] if training.get("encoder") else None
    datasets = training["datasets"] if training.get("datasets") else []
    return {
        "source": source,
        "config": config,
        "training": training,
        "encoder": encoder,
        "datasets": datasets,
        "results": results,
        "evaluation": _read(folder / names.EVALUATION)["evaluations"][-1],
        "video": (folder / names.VIDEO).exists(),
        "environment": environment,
        "metadata": ModelCardData(
            **_about_ours("deep-reinforcement-learning", "agent", plain(environment)),
            datasets=_remote(datasets),
            base_model=_base_model(encoder),
            model_name=f"diffsr-{plain(environment)}",
            eval_results=[_return(plain(environment), results)],
        ),
    }


def _about_ours(*tags: str) -> dict[str, Any]:
    """The metadata of every model of ours."""
    return {
        "license": "mit",
        "library_name": "diffsr-hub",
        "pipeline_tag": "reinforcement-learning",
        "tags": ["reinforcement-learning", "diffusion", "diffsr", *tags],
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


def _remote(datasets: list[Facts]) -> list[str] | None:
    """The repositories of the Hub that data was downloaded from."""
    found = [entry for entry in datasets if entry.get("source") == "remote"]
    return sorted({f"farama-minari/{plain(entry['namespace']).split('/')[0]}" for entry in found}) or None


def _environments(datasets: list[Facts]) -> list[str]:
    """The environments' ids; where the data names none, the namespaces."""
    return sorted({(entry.get("env_spec") or {}).get("id") or entry["namespace"] for entry in datasets})


def _families(environments: list[str]) -> list[str]:
    """What many environments have in common: metaworld, of metaworld/door-open-v3."""
    return sorted({name.partition("/")[0] for name in environments if "/" in name})


def _summary(environments: list[str]) -> str:
    """The environments in words; of many only how many, and of what family."""
    if len(environments) <= FEW:
        return ", ".join(environments)
    families = _families(environments)
    return f"{len(environments)} environments" + (f" of {', '.join(families)}" if families else "")


def _config(folder: Path, kind: str) -> Facts:
    return Facts(pretrained.CONFIG, pretrained.read_config(folder / pretrained.CONFIG, kind))


def _require(folder: Path, name: str) -> None:
    if not (folder / name).is_file():
        raise UserError(MISSING.format(folder, name))


def _read(file: Path) -> Facts:
    _require(file.parent, file.name)
    content = pretrained.read_json(file, _LARGEST)
    if not isinstance(content, dict):
        raise UserError(f"{file} holds a {type(content).__name__}, not an object")
    return Facts(file.name, content)


def _named(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return Facts(name, value)
    if isinstance(value, list):
        return [_named(f"{name}[{i}]", entry) for i, entry in enumerate(value)]
    return value
