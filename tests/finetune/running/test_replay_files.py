"""Laws of the saved ring: what is restored is what was saved, wherever the saving was interrupted."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from diffsr_hub.errors import UserError
from finetune.learning.replay import Replay
from finetune.running import replay_files


def grown(replay: Replay, size: int) -> None:
    first = replay.added
    number = torch.arange(first, first + size).float()
    replay.add_rows(number[:, None].expand(-1, replay.rows.shape[1]))


def restored(folder: Path, capacity: int, added: int) -> Replay:
    replay = Replay(capacity, 1, 1)
    replay_files.restore(folder, replay, added)
    return replay


@given(st.integers(1, 12), st.lists(st.integers(0, 15), min_size=1, max_size=6), st.booleans())
def test_every_checkpoint_brings_the_ring_back(tmp_path_factory, capacity, sizes, dropping):
    folder, replay, saved = tmp_path_factory.mktemp("replay"), Replay(capacity, 1, 1), 0
    for size in sizes:
        grown(replay, size)
        replay_files.append(folder, replay, saved)
        saved = replay.added
        if dropping:
            replay_files.drop_forgotten(folder, replay)
        back = restored(folder, capacity, saved)
        assert torch.equal(back.rows, replay.rows) and back.added == replay.added


def test_a_crash_after_the_rows_and_before_the_checkpoint_leaves_the_older_state(tmp_path):
    """Also where the ring has overwritten rows of the older state since."""
    replay = Replay(8, 1, 1)
    grown(replay, 6)
    replay_files.append(tmp_path, replay, 0)
    older = replay.rows.clone()
    grown(replay, 7)
    replay_files.append(tmp_path, replay, 6)
    assert torch.equal(restored(tmp_path, 8, 6).rows, older)


def test_going_on_from_the_older_state_replaces_the_rows_of_the_crash(tmp_path):
    first = Replay(20, 1, 1)
    grown(first, 5)
    replay_files.append(tmp_path, first, 0)
    grown(first, 9)
    replay_files.append(tmp_path, first, 5)  # its checkpoint was never written
    second = restored(tmp_path, 20, 5)
    grown(second, 2)
    replay_files.append(tmp_path, second, 5)
    grown(second, 3)
    replay_files.append(tmp_path, second, 7)
    assert torch.equal(restored(tmp_path, 20, 10).rows, second.rows)


def test_rows_that_the_ring_has_forgotten_do_not_stay_on_disk(tmp_path):
    replay, saved = Replay(10, 1, 1), 0
    for _ in range(50):
        grown(replay, 3)
        replay_files.append(tmp_path, replay, saved)
        saved = replay.added
        replay_files.drop_forgotten(tmp_path, replay)
    assert len(list(tmp_path.iterdir())) <= 5
    assert torch.equal(restored(tmp_path, 10, saved).rows, replay.rows)


def test_nothing_new_is_no_file(tmp_path):
    replay = Replay(10, 1, 1)
    replay_files.append(tmp_path / "replay", replay, 0)
    assert list((tmp_path / "replay").iterdir()) == []
    assert restored(tmp_path / "replay", 10, 0).added == 0


def test_missing_rows_are_named(tmp_path):
    replay = Replay(10, 1, 1)
    grown(replay, 4)
    replay_files.append(tmp_path, replay, 0)
    with pytest.raises(UserError, match=r"holds 4 rows, not 9.*start a new run"):
        restored(tmp_path, 10, 9)
