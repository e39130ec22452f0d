"""What the card of an encoder says."""

from pathlib import Path
from typing import Any

from huggingface_hub import ModelCardData

from diffsr_hub.cards.facts import Facts, about_ours, config_of, read, remote_datasets, require
from diffsr_hub.data.minari.ids import bundled, is_outdated, parse
from diffsr_hub.errors import plain
from diffsr_hub.saved.file_names import DATASET, DIAGNOSTICS, PICTURE, TRANSFER

FEW = 3
"""environments or datasets that a card names in a sentence each"""
PROBED = {"reward": "the reward", "change": "the change of state", "return": "the discounted return"}


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
    require(folder, PICTURE)
    dataset, report = read(folder / DATASET), read(folder / DIAGNOSTICS)
    environments = _environments(dataset["datasets"])
    tags = environments if len(environments) <= FEW else _families(environments)
    return {
        "source": source,
        "config": config_of(folder, "DiffSR"),
        "datasets": dataset["datasets"],
        "software": dataset["software"],
        "training": dataset["training"],
        "report": report,
        "obscured": [label for target, label in PROBED.items() if _controls_are_ahead(report["probes"][target])],
        "transfer": read(folder / TRANSFER) if (folder / TRANSFER).exists() else None,
        "environment": _summary(environments),
        "few": FEW,
        "replaced": _replaced([entry["id"] for entry in dataset["datasets"] if entry.get("source") == "bundled"]),
        "behaviours": sorted({entry.get("algorithm_name") or "not recorded" for entry in dataset["datasets"]}),
        "metadata": ModelCardData(
            **about_ours("representation-learning", "minari", *map(plain, tags)),
            datasets=remote_datasets(dataset["datasets"]),
        ),
    }


def _controls_are_ahead(r2: Facts) -> bool:
    return bool(r2["psi"] < max(r2["random_psi"], r2["raw"]))


def _environments(datasets: list[Facts]) -> list[str]:
    """The environments' ids; where the data names none, the namespaces."""
    return sorted({(entry.get("env_spec") or {}).get("id") or entry["namespace"] for entry in datasets})


def _replaced(ids: list[str]) -> dict[str, str]:
    """Of the bundled datasets that cannot be collected any more, what is collected in their place."""
    parsed = {identifier: parse(identifier) for identifier in ids}
    return {identifier: bundled(entry.namespace or "") for identifier, entry in parsed.items() if is_outdated(entry)}


def _families(environments: list[str]) -> list[str]:
    """What many environments have in common: metaworld, of metaworld/door-open-v3."""
    return sorted({name.partition("/")[0] for name in environments if "/" in name})


def _summary(environments: list[str]) -> str:
    """The environments in words; of many only how many, and of what family."""
    if len(environments) <= FEW:
        return ", ".join(environments)
    families = _families(environments)
    return f"{len(environments)} environments" + (f" of {', '.join(families)}" if families else "")
