from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffsr_hub.data.cache.arrays import ArrayWriter, open_mapped, verify


def written(path: Path, rows: np.ndarray[Any, Any], pieces: int = 7) -> dict[str, Any]:
    with ArrayWriter(path, rows.dtype, rows.shape[1:]) as writer:
        for piece in np.array_split(rows, pieces):
            writer.append(piece)
        return writer.close()


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.bool_])
@pytest.mark.parametrize("shape", [(1,), (1000, 3), (400_000,), (100_001, 5)])
def test_a_stream_of_rows_is_the_array(tmp_path: Path, shape: tuple[int, ...], dtype: Any) -> None:
    rows = np.random.default_rng(0).integers(0, 2**20, shape).astype(dtype)
    expected = written(tmp_path / "a.npy", rows)
    verify(tmp_path / "a.npy", expected)
    assert np.array_equal(open_mapped(tmp_path / "a.npy"), rows)
    assert np.load(tmp_path / "a.npy").dtype == dtype


def test_the_checksum_does_not_depend_on_the_pieces(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).standard_normal((300_001, 3)).astype(np.float32)
    assert written(tmp_path / "a.npy", rows, 1) == written(tmp_path / "b.npy", rows, 1013)


@pytest.mark.parametrize("where", [0, 200, 1_500_000, 3_999_999])
def test_one_flipped_bit_is_found(tmp_path: Path, where: int) -> None:
    path = tmp_path / "a.npy"
    expected = written(path, np.arange(1_000_000, dtype=np.float32))
    data = bytearray(path.read_bytes())
    data[where] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError):
        verify(path, expected)


def test_swapped_blocks_are_found(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    rows = np.arange(1 << 19, dtype=np.int64)
    expected = written(path, rows)
    written(path, np.concatenate(np.split(rows, 4)[::-1]))
    with pytest.raises(ValueError, match="checksum"):
        verify(path, expected)


def test_a_truncated_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    expected = written(path, np.zeros(1000, np.float32))
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ValueError, match="3996 bytes"):
        verify(path, expected)


def test_another_shape_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    expected = written(path, np.zeros((6, 2), np.float32))
    written(path, np.zeros((4, 3), np.float32))
    with pytest.raises(ValueError, match="holds"):
        verify(path, expected)


def test_writing_to_the_mapping_leaves_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    expected = written(path, np.zeros(1000, np.float32))
    open_mapped(path)[:] = 1.0
    verify(path, expected)
