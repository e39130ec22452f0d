"""Episodes as Minari datasets, written here and now."""

import warnings
from collections.abc import Sequence
from typing import Any

import minari
from minari.data_collector.episode_buffer import EpisodeBuffer


def store(identifier: str, buffers: Sequence[EpisodeBuffer], **options: Any) -> str:
    """Write a dataset, and who made it how; the options are those of Minari, the spaces or an `env` at least."""
    made_by = {"algorithm_name": "uniform", "author": "a", "author_email": "e", "code_permalink": "c"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about an environment for evaluation
        minari.create_dataset_from_buffers(identifier, buffers, **{**made_by, "description": "d", **options})
    return identifier
