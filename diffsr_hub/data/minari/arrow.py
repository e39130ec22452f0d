"""Whole columns out of Minari's Arrow or Parquet files, one folder an episode.

Minari's own reader takes every record batch for an episode, and Arrow cuts batches at 131,072 rows; it also reads all
episodes with the types of the first. Here every episode is read by itself, all batches of it, with its own types.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa


class Column(NamedTuple):
    """What is read of an episode's table."""

    path: tuple[str, ...]
    """name of the column, and of the fields inside it"""
    shape: tuple[int, ...]
    """of a row, which is stored as a flat list"""


def read_columns(
    folder: Path, data_format: str, columns: Sequence[Column], episodes: int
) -> Iterator[list[NDArray[Any]]]:
    """Read columns of all episodes, in order of their number.

    Args:
        folder: Minari's `data` folder.
        data_format: `arrow` or `parquet`.
        columns: which.
        episodes: how many there are.

    Yields:
        For each episode one array `[n, *shape]` per column, with the file's types.

    Raises:
        OSError, KeyError, ValueError: pyarrow's, where a file is damaged or lacks a column; an episode has no file.
    """
    read = _READERS[data_format]
    for episode in range(episodes):
        files = sorted((folder / str(episode)).glob(f"*.{data_format}"), key=lambda file: (len(file.name), file.name))
        if not files:
            raise FileNotFoundError(f"episode {episode} has no file *.{data_format}")
        tables = [read(file) for file in files]
        yield [np.concatenate(list(_batches(tables, column))) for column in columns]


def _batches(tables: Sequence["pa.Table"], column: Column) -> Iterator[NDArray[Any]]:
    name, *inside = column.path
    for table in tables:
        for batch in table[name].chunks:
            yield _array(reduce(lambda values, field: values.field(field), inside, batch), column.shape)


def _array(values: "pa.Array", shape: tuple[int, ...]) -> NDArray[Any]:
    if not hasattr(values.type, "value_type"):  # plain numbers, not lists of them
        return values.to_numpy(zero_copy_only=False)
    if 0 in shape or not len(values):  # lists of nothing: pyarrow's functions for them fail, some by ending the process
        return np.empty((len(values), *shape))
    rows = values.flatten().to_numpy(zero_copy_only=False).reshape(len(values), -1)
    return rows.reshape(len(values), *shape) if rows.shape[1] == math.prod(shape) else rows


def _read_arrow(file: Path) -> "pa.Table":
    import pyarrow as pa

    with pa.OSFile(str(file)) as opened:  # not mapped: a file that is cut then would end the process
        return pa.ipc.open_file(opened).read_all()


def _read_parquet(file: Path) -> "pa.Table":
    import pyarrow.parquet as pq

    return pq.ParquetFile(file).read()


_READERS: dict[str, Callable[[Path], "pa.Table"]] = {"arrow": _read_arrow, "parquet": _read_parquet}
