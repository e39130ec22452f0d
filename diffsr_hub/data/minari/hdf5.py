"""Whole columns out of Minari's HDF5 file, about four times as fast as its reader.

The data is in thousands of small HDF5 datasets, five per episode, and h5py's comfortable interface costs more than the
bytes. So: one open file, h5py's low-level calls, and no column that is not needed. Every episode's column has a type of
its own (rewards 0, 0, 0 are integers, 0, 0, 0.75 are not); a type is translated once for as long as it stays the same.
"""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from h5py import h5d, h5g, h5s, h5t
from numpy.typing import NDArray

_CHUNK_SLOTS = 13  # of the table that HDF5 sets up for every dataset; 521 by default, and these have a dozen chunks


class _Type(NamedTuple):
    """How a column is stored, and what it becomes in memory."""

    stored: Any
    memory: Any
    """None for rows of different lengths, which h5py's comfortable interface reads"""
    dtype: np.dtype[Any]


def read_columns(
    path: Path, names: Sequence[str], episodes: int, images: Collection[str] = ()
) -> Iterator[list[NDArray[Any]]]:
    """Read columns of all episodes, in order of their number.

    Args:
        path: Minari's `main_data.hdf5`.
        names: of the columns inside an episode's group, e.g. `observations/position`.
        episodes: how many there are.
        images: those of the names whose rows may be compressed images, of a length of its own each.

    Yields:
        For each episode one array per name, in the order of `names`, with the file's dtype; rows of images that are
        compressed are arrays of bytes.

    Raises:
        OSError, KeyError, RuntimeError: h5py's, where the file is damaged or lacks an episode or a column.
        TypeError: a column does not hold numbers.
    """
    encoded = [name.encode() for name in names]
    types: list[_Type | None] = [None] * len(names)
    with h5py.File(path, "r", rdcc_nslots=_CHUNK_SLOTS) as file:
        for episode in range(episodes):
            group = h5g.open(file.id, b"episode_%d" % episode)
            columns = [h5d.open(group, name) for name in encoded]
            found = [
                _type(column, before, compressed=name in images)
                for name, column, before in zip(names, columns, types, strict=True)
            ]
            yield [_read(column, kind) for column, kind in zip(columns, found, strict=True)]
            types = [*found]


def _type(column: Any, before: _Type | None, *, compressed: bool) -> _Type:
    """The type of a column: the one before, of the same column in the last episode, where it is equal."""
    stored = column.get_type()
    if before is not None and stored.equal(before.stored):
        return before
    dtype = column.dtype
    if compressed and h5py.check_vlen_dtype(dtype) == np.uint8:
        return _Type(stored, None, dtype)
    if dtype.kind not in "biuf":  # HDF5 would write pointers into an array of objects
        raise TypeError(f"column {h5py.h5i.get_name(column).decode()} holds {dtype}, which are not numbers")
    return _Type(stored, h5t.py_create(dtype), dtype)


def _read(column: Any, kind: _Type) -> NDArray[Any]:
    if kind.memory is None:
        return np.asarray(h5py.Dataset(column)[()])
    values = np.empty(column.shape, kind.dtype)
    if values.size:
        column.read(h5s.ALL, h5s.ALL, values, kind.memory)
    return values
