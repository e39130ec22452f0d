"""Laws of the saved ring: what is restored is what was saved, wherever the saving was interrupted."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffsr_hub.errors import UserError
from finetune.learning.replay import Replay
from finetune.running import replay_files
from tests.finetune.learning.test_replay import Step, as_rows, course, filled

STEPS = list(course(120, 2, seed=3))


def ring(capacity: int) -> Replay:
    return Replay(capacity, 3, 1, num_envs=2, n=3, discount=0.5)


def grown(replay: Replay, size: int, steps: list[Step] = STEPS) -> None:
    filled(replay, steps[replay.added : replay.added + size])


def restored(folder: Path, capacity: int, added: int) -> Replay:
    replay = ring(capacity)
    replay_files.restore(folder, replay, added)
    return replay


def equal(one: Replay, other: Replay) -> bool:
    """Now, and after the same further steps."""
    now = as_rows(one.all()) == as_rows(other.all()) and one.added == other.added
    for replay in (one, other):
        grown(replay, 4)
    return now and as_rows(one.all()) == as_rows(other.all())


@settings(deadline=None)
@given(st.integers(1, 24), st.lists(st.integers(0, 15), min_size=1, max_size=6), st.booleans())
def test_every_checkpoint_brings_the_ring_back(tmp_path_factory, capacity, sizes, dropping):
    folder, replay, saved = tmp_path_factory.mktemp("replay"), ring(capacity), 0
    for size in sizes:
        grown(replay, size)
        replay_files.append(folder, replay, saved)
        saved = replay.added
        if dropping:
            replay_files.drop_forgotten(folder, replay)
        back = restored(folder, capacity, saved)
        assert as_rows(back.all()) == as_rows(replay.all()) and back.added == replay.added
    assert equal(restored(folder, capacity, saved), replay)


def test_a_crash_after_the_steps_and_before_the_checkpoint_leaves_the_older_state(tmp_path):
    """Also where the ring has overwritten steps of the older state since."""
    replay = ring(16)
    grown(replay, 6)
    replay_files.append(tmp_path, replay, 0)
    older = as_rows(replay.all())
    grown(replay, 9)
    replay_files.append(tmp_path, replay, 6)
    assert as_rows(restored(tmp_path, 16, 6).all()) == older


def test_going_on_from_the_older_state_replaces_the_steps_of_the_crash(tmp_path):
    first = ring(40)
    grown(first, 5)
    replay_files.append(tmp_path, first, 0)
    grown(first, 9)
    replay_files.append(tmp_path, first, 5)  # its checkpoint was never written
    second, others = restored(tmp_path, 40, 5), list(course(120, 2, seed=4))
    grown(second, 2, others)
    replay_files.append(tmp_path, second, 5)
    grown(second, 3, others)
    replay_files.append(tmp_path, second, 7)
    assert as_rows(restored(tmp_path, 40, 10).all()) == as_rows(second.all())


def test_an_episode_that_was_cut_off_after_a_checkpoint_stays_cut_off(tmp_path):
    """The end of a step that is on disk already is noted with the steps after it."""
    steps = list(course(20, 2, 0, ends=0.0))
    replay = filled(ring(40), steps[:5])
    replay_files.append(tmp_path, replay, 0)
    replay.truncate(0)
    filled(replay, steps[5:9])
    replay_files.append(tmp_path, replay, 5)
    assert as_rows(restored(tmp_path, 40, 9).all()) == as_rows(replay.all())


def test_steps_that_the_ring_has_forgotten_do_not_stay_on_disk(tmp_path):
    replay, saved = ring(20), 0
    for _ in range(40):
        grown(replay, 3)
        replay_files.append(tmp_path, replay, saved)
        saved = replay.added
        replay_files.drop_forgotten(tmp_path, replay)
    assert len(list(tmp_path.iterdir())) <= 6
    assert as_rows(restored(tmp_path, 20, saved).all()) == as_rows(replay.all())


def test_nothing_new_is_no_file(tmp_path):
    replay = ring(10)
    replay_files.append(tmp_path / "replay", replay, 0)
    assert list((tmp_path / "replay").iterdir()) == []
    assert restored(tmp_path / "replay", 10, 0).added == 0


def test_missing_steps_are_named(tmp_path):
    replay = ring(10)
    grown(replay, 4)
    replay_files.append(tmp_path, replay, 0)
    with pytest.raises(UserError, match=r"holds 4 steps, not 9.*start a new run"):
        restored(tmp_path, 10, 9)
