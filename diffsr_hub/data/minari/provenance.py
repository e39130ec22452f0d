"""What an encoder remembers of the data that it was trained on."""

import json
from typing import Any

from diffsr_hub.data.minari.ids import BUNDLED, parse
from diffsr_hub.data.minari.source import Source, datasets_root

_COPIED = (
    "minari_version",
    "total_episodes",
    "total_steps",
    "algorithm_name",
    "author",
    "code_permalink",
    "description",
    "ref_min_score",
    "ref_max_score",
    "data_format",
    "behaviour",
)


def provenance(source: Source) -> dict[str, Any]:
    """Describe a dataset as a JSON-able dict.

    Args:
        source: the dataset.

    Returns:
        `id, namespace, version, source` ("remote", "local" or "bundled"), `hub_revision` (the commit that was
        downloaded, or None), `env_spec` (dict or None), and Minari's own fields, None where it has none; of pictures
        that were collected here, `view`: how they were seen.
    """
    identifier = parse(source.id)
    revision = _hub_revision(source)
    downloaded = "local" if revision is None else "remote"
    return {
        "id": source.id,
        "namespace": identifier.namespace,
        "version": identifier.version,
        "source": "bundled" if identifier.name == BUNDLED else downloaded,
        "hub_revision": revision,
        "env_spec": env_spec(source),
        **{key: source.metadata.get(key) for key in _COPIED},
        **({"view": source.metadata["view"]} if "view" in source.metadata else {}),
    }


def env_spec(source: Source) -> dict[str, Any] | None:
    """The stored environment spec, as data: building the environment from it fails for some published datasets."""
    stored = source.metadata.get("env_spec")
    try:
        spec = json.loads(stored) if isinstance(stored, str) else stored
    except ValueError:
        return None
    return spec if isinstance(spec, dict) else None


def _hub_revision(source: Source) -> str | None:
    """The commit that huggingface_hub noted beside the files that it downloaded."""
    repository, _, path = source.id.partition("/")
    note = datasets_root() / repository / ".cache/huggingface/download" / path / "data/metadata.json.metadata"
    try:
        return note.read_text().splitlines()[0].strip() or None
    except (OSError, ValueError, IndexError):
        return None
