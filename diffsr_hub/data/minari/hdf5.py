"""Whole columns out of Minari's HDF5 file, about four times as fast as its reader.

The data is in thousands of small HDF5 datasets, five per episode, and h5py's comfortable interface costs more than the
bytes. So: one open file, h5py's low-level calls, one memory type per column (found once), and no column that is not
needed.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5g, h5s
from numpy.typing import NDArray

_CHUNK_SLOTS = 13  # of the table that HDF5 sets up for every dataset; 521 by default, and these have a dozen chunks


def read_columns(path: Path, names: Sequence[str], episodes: int) -> Iterator[list[NDArray[Any]]]:
    """Read columns of all episodes, in order of their number.

    Args:
        path: Minari's `main_data.hdf5`.
        names: of the columns inside an episode's group, e.g. `observations/position`.
        episodes: how many there are.

    Yields:
        For each episode one array per name, in the order of `names`, with the file's dtype.

    Raises:
        OSError, KeyError, RuntimeError: h5py's, where the file is damaged or lacks an episode or a column.
    """
    encoded = [name.encode() for name in names]
    with h5py.File(path, "r", rdcc_nslots=_CHUNK_SLOTS) as file:
        types: list[tuple[Any, np.dtype[Any]]] = []
        for episode in range(episodes):
            group = h5g.open(file.id, b"episode_%d" % episode)
            columns = [h5d.open(group, name) for name in encoded]
            if not types:
                types = [(column.get_type(), column.dtype) for column in columns]
            yield [_read(column, *kind) for column, kind in zip(columns, types, strict=True)]


def _read(column: Any, memory_type: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    values = np.empty(column.shape, dtype)
    if values.size:
        column.read(h5s.ALL, h5s.ALL, values, memory_type)
    return values
