import errno

import pytest

from diffsr_hub.errors import UserError, exit_codes, unknown


@exit_codes()
def command(outcome: BaseException | None) -> str:
    if outcome is not None:
        raise outcome
    return "done"


@pytest.mark.parametrize(
    ("outcome", "code", "line"),
    [
        (UserError("no such thing"), 2, "error: no such thing"),
        (OSError(errno.ENOSPC, "No space left on device", "/a/b"), 2, "error: No space left on device: /a/b"),
        (OSError("without a number"), 2, "error: without a number"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_what_a_user_can_cause_ends_in_one_line_and_a_code(capsys, outcome, code, line):
    with pytest.raises(SystemExit) as ended:
        command(outcome)
    assert ended.value.code == code
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", line + "\n")


def test_a_mistake_of_ours_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        command(ZeroDivisionError())


def test_success_changes_nothing():
    assert command(None) == "done"


def test_an_unknown_name_lists_the_known_ones_and_guesses():
    assert str(unknown("fruit", "aple", ["pear", "apple"])) == (
        "unknown fruit 'aple', valid: apple, pear; did you mean apple?"
    )
    assert str(unknown("fruit", "qqq", ["pear"])) == "unknown fruit 'qqq', valid: pear"
    assert str(unknown("fruit", "qqq", [])) == "unknown fruit 'qqq', valid: none"


def test_names_with_slashes_are_compared_by_their_last_part():
    said = str(unknown("robot", "mujoco/hoper", ["mujoco/hopper", "mujoco/walker2d"]))
    assert said.endswith("did you mean mujoco/hopper?")
