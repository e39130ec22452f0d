"""A dataset written out as flat arrays, episode by episode: memory does not grow with the dataset."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from diffsr_hub.data.arrays import ArrayWriter
from diffsr_hub.data.reading import Reader
from diffsr_hub.data.source import Source

ARRAYS = ("frames", "action", "reward", "terminated", "row", "lengths")
"""frames `[N + E, obs_dim]`: all T+1 observations of each of the E episodes; action `[N, action_dim]`, reward and
terminated `[N]`; row `[N]`: the frame of each transition's obs, the next row being its next_obs; lengths `[E]`."""


def build(source: Source, folder: Path) -> dict[str, Any]:
    """Write a dataset's arrays as `.npy` files.

    Args:
        source: the dataset.
        folder: empty.

    Returns:
        JSON-able: obs_dim, action_dim, action_low, action_high, and under `arrays` what `arrays.verify` needs.

    Raises:
        UserError: the dataset is malformed or not supported.
        OSError: the folder cannot be written.
    """
    reader = Reader(source)
    with ExitStack() as files:
        writers = {
            name: files.enter_context(ArrayWriter(folder / f"{name}.npy", dtype, shape))
            for name, dtype, shape in (
                ("frames", np.float32, (reader.obs_dim,)),
                ("action", np.float32, (reader.action_dim,)),
                ("reward", np.float32, ()),
                ("terminated", np.bool_, ()),
                ("row", np.int64, ()),
                ("lengths", np.int64, ()),
            )
        }
        first = 0
        for episode in reader:
            steps = len(episode.reward)
            for name, values in episode._asdict().items():
                writers[name].append(values)
            writers["row"].append(np.arange(first, first + steps))
            writers["lengths"].append(np.array([steps]))
            first += steps + 1
        return {
            "obs_dim": reader.obs_dim,
            "action_dim": reader.action_dim,
            "action_low": reader.action_low,
            "action_high": reader.action_high,
            "arrays": {name: writer.close() for name, writer in writers.items()},
        }
