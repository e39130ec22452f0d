"""NumPy files that are written as a stream, checked cheaply, and mapped into memory.

Written with plain writes and not through a mapping, where a full disk would be a bus error and no exception.
"""

from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

_BLOCK_BYTES = 1 << 18  # stays in the processor's cache between copy, checksum and write
_MASK = (1 << 64) - 1
_PRIME = 1_099_511_628_211  # FNV's: makes the order of the blocks count


class ArrayWriter:
    """Appends rows to a new `.npy` file; its length is not known before the end.

    Args:
        path: the file.
        dtype: of the array.
        row_shape: shape of one row, `()` for a vector.
    """

    def __init__(self, path: Path, dtype: DTypeLike, row_shape: tuple[int, ...] = ()) -> None:
        self._dtype, self._row_shape, self._rows = np.dtype(dtype), row_shape, 0
        self._checksum, self._block, self._filled = 0, bytearray(_BLOCK_BYTES), 0
        self._file = path.open("wb", buffering=0)
        self._write_header()

    def append(self, rows: NDArray[Any]) -> None:
        """Write rows `[n, *row_shape]`; they are converted to the file's dtype."""
        data = np.ascontiguousarray(rows, self._dtype).reshape(-1).view(np.uint8).data
        self._rows += len(rows)
        while data:
            taken = min(len(data), _BLOCK_BYTES - self._filled)
            self._block[self._filled : self._filled + taken] = data[:taken]
            self._filled += taken
            data = data[taken:]
            if self._filled == _BLOCK_BYTES:
                self._flush()

    def close(self) -> dict[str, Any]:
        """Finish the file.

        Returns:
            What `verify` needs: shape, dtype and checksum, as JSON.
        """
        self._flush()
        self._file.seek(0)
        self._write_header()
        self._file.close()
        return {"shape": [self._rows, *self._row_shape], "dtype": self._dtype.str, "checksum": self._checksum}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _flush(self) -> None:
        view = memoryview(self._block)[: self._filled]
        self._checksum = _fold(self._checksum, view)
        while view:  # an unbuffered write may be short, e.g. just before the disk is full
            view = view[self._file.write(view) :]
        self._filled = 0

    def _write_header(self) -> None:
        # NumPy pads the header so that the first axis can grow in place: its size does not depend on the rows.
        shape = (self._rows, *self._row_shape)
        np.lib.format.write_array_header_1_0(
            self._file, {"descr": self._dtype.str, "fortran_order": False, "shape": shape}
        )


def verify(path: Path, expected: dict[str, Any]) -> None:
    """Compare a file with what `ArrayWriter.close` said, by reading it in blocks (never through a mapping).

    Raises:
        ValueError: header, size or checksum differ.
        OSError: the file cannot be read.
    """
    block, checksum = bytearray(_BLOCK_BYTES), 0
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        size = path.stat().st_size - file.tell()
        if [*shape] != expected["shape"] or dtype.str != expected["dtype"]:
            raise ValueError(f"{path.name} holds {dtype} {shape}")
        if size != dtype.itemsize * int(np.prod(shape)):
            raise ValueError(f"{path.name} has {size} bytes of data")
        while count := file.readinto(block):
            checksum = _fold(checksum, memoryview(block)[:count])
    if checksum != expected["checksum"]:
        raise ValueError(f"{path.name} has another checksum")


def open_mapped(path: Path) -> NDArray[Any]:
    """Map a file copy-on-write: torch warns about read-only arrays, and nothing can write to the file."""
    array: NDArray[Any] = np.load(path, mmap_mode="c", allow_pickle=False)
    return array


def _fold(checksum: int, block: memoryview) -> int:
    """Add a block: the wrap-around sum of its 64-bit words, at the speed of memory."""
    whole = len(block) // 8 * 8
    total = int(np.frombuffer(block[:whole], np.uint64).sum()) + int.from_bytes(block[whole:], "little")
    return (checksum * _PRIME + total + len(block)) & _MASK
