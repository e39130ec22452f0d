"""A dataset written out as flat arrays, block by block: memory does not grow with the dataset."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffsr_hub.data.cache.arrays import ArrayWriter
from diffsr_hub.data.dataset import Dataset
from diffsr_hub.data.reading import Reader

ARRAYS = ("frames", "action", "reward", "terminated", "row", "lengths")
"""frames `[N + E, *frame]`, as `FrameFormat` keeps observations: all T+1 observations of each of the E
episodes; action `[N, action_dim]`, reward and terminated `[N]`; row `[N]`: the frame of each transition's obs, the next
row being its next_obs; lengths `[E]`."""


def build(dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Write a dataset's arrays as `.npy` files.

    Args:
        dataset: the dataset.
        folder: empty.

    Returns:
        JSON-able: obs_parts, image_shape, action_low, action_high, and under `arrays` what `arrays.verify` needs.

    Raises:
        UserError: the dataset is malformed or not supported.
        OSError: the folder cannot be written.
    """
    reader = Reader(dataset)
    with ExitStack() as files:
        writers = {
            name: files.enter_context(ArrayWriter(folder / f"{name}.npy", dtype, shape))
            for name, dtype, shape in (
                ("frames", reader.frame.dtype, reader.frame.shape),
                ("action", np.float32, (reader.action_dim,)),
                ("reward", np.float32, ()),
                ("terminated", np.bool_, ()),
                ("row", np.int64, ()),
                ("lengths", np.int64, ()),
            )
        }
        episodes, steps = 0, 0
        for block in reader:
            for name, values in block._asdict().items():
                writers[name].append(values)
            writers["row"].append(_rows(block.lengths, episodes, steps))
            episodes, steps = episodes + len(block.lengths), steps + len(block.reward)
        low, high = reader.bounds or (None, None)
        return {
            "obs_parts": reader.obs_parts,
            "image_shape": reader.frame.image_shape,
            "action_low": low,
            "action_high": high,
            "arrays": {name: writer.close() for name, writer in writers.items()},
        }


def _rows(lengths: NDArray[np.int64], episodes: int, steps: int) -> NDArray[np.int64]:
    """Frame of each transition's obs, after `episodes` earlier episodes, each with one frame more than its steps."""
    count = int(lengths.sum())
    return np.arange(steps, steps + count) + np.repeat(np.arange(episodes, episodes + len(lengths)), lengths)
