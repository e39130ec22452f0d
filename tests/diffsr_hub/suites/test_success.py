"""Laws of success: the same for environments and for data, and no text is taken for a flag."""

import numpy as np
import pytest
import torch

from diffsr_hub.errors import UserError
from diffsr_hub.suites.success import ever_succeeded, succeeded

YES = [True, 1, 1.0, np.True_, np.float32(1), np.array(True), np.array([1.0]), [True], torch.tensor([True]), "True"]
NO = [False, 0, 0.0, np.False_, np.array([0]), np.array([True, False]), torch.tensor(0.0), "False", b"false"]
NOTHING = [None, np.nan, np.array([]), np.array([np.nan]), []]


@pytest.mark.parametrize("key", ["success", "is_success"])
@pytest.mark.parametrize(
    ("note", "expected"),
    [*((n, True) for n in YES), *((n, False) for n in NO), *((n, None) for n in NOTHING)],
    ids=repr,
)
def test_a_note_is_a_success_none_or_silent(key, note, expected):
    assert succeeded({key: note}) is expected


@pytest.mark.parametrize("note", ["", "maybe", "yes", object(), {"a": 1}, np.array(["no idea"])])
def test_what_is_neither_is_refused_for_environments_and_for_data(note):
    for reader in (succeeded, ever_succeeded):
        with pytest.raises(UserError, match="a success must be a flag or a number, got ") as error:
            reader({"success": note})
        assert "\n" not in str(error.value)


def test_the_second_key_speaks_where_the_first_is_silent():
    assert succeeded({"success": None, "is_success": 1.0}) is True
    assert succeeded({"success": False, "is_success": True}) is False
    assert succeeded({"other": True}) is None


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        (np.array([False, True, False]), True),
        (np.zeros(3), False),
        (np.array([np.nan, 1.0]), True),
        (np.array([[True, False], [False, True]]), False),  # two flags a step, never both
        (np.array([[True, False], [True, True]]), True),
        (["False", "True"], True),
        (np.array([b"False", b"False"]), False),
        (True, True),
        ("False", False),
        (None, None),
        (np.array([]), None),
    ],
)
def test_an_episode_is_a_success_if_any_step_was(notes, expected):
    assert ever_succeeded({"success": notes}) is expected
    assert ever_succeeded({"is_success": notes}) is expected
