import pytest

from diffsr_hub.errors import UserError
from diffsr_hub.suites.known import can_collect, suite_of_data
from diffsr_hub.suites.meta_world.names import TASKS
from diffsr_hub.suites.meta_world.suite import META_WORLD


def test_a_group_is_its_tasks_and_a_task_itself() -> None:
    assert len(META_WORLD.members("metaworld/ml45-train")) == 45
    assert META_WORLD.members("metaworld/door-open-v3") == ("metaworld/door-open-v3",)
    assert suite_of_data("metaworld/nothing") is META_WORLD is not suite_of_data("mujoco/hopper")
    words = ("metaworld/ml10-test", "metaworld/door-open-v3", "metaworld/door-open", "mujoco/hopper")
    assert [can_collect(word) for word in words] == [True, True, False, True]
    assert [META_WORLD.is_group(word) for word in words] == [True, False, False, False]


def test_a_group_can_leave_one_task_out() -> None:
    word, left_out = "metaworld/mt50-without-door-open-v3", "metaworld/door-open-v3"
    assert (
        META_WORLD.members(word) == tuple(task for task in TASKS if task != left_out)
        and len(META_WORLD.members(word)) == 49
    )
    assert META_WORLD.is_group(word) and can_collect(word)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("metaworld/mt50-without-door-opn-v3", r"unknown Meta-World task .*did you mean metaworld/door-open-v3\?"),
        ("metaworld/mt50-without-door-open", r"unknown Meta-World task .*did you mean metaworld/door-open-v3\?"),
        (
            "metaworld/mt5-without-door-open-v3",
            r"unknown Meta-World group 'metaworld/mt5', .*did you mean metaworld/mt50",
        ),
        (
            "metaworld/ml10-train-without-hammer-v3",
            r"ml10-train does not have metaworld/hammer-v3: write metaworld/ml10",
        ),
    ],
)
def test_a_group_without_what_it_does_not_have_is_refused(word: str, message: str) -> None:
    assert META_WORLD.is_group(word) and not can_collect(word)
    with pytest.raises(UserError, match=message):
        META_WORLD.members(word)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("metaworld/door-opn-v3", "metaworld/door-open-v3"),
        ("metaworld/door-open-v2", "metaworld/door-open-v3"),
        ("metaworld/ml10", "metaworld/mt10"),
        ("metaworld/ml10-trian", "metaworld/ml10-train"),
    ],
)
def test_an_unknown_task_names_the_nearest(word: str, meant: str) -> None:
    with pytest.raises(UserError, match=rf"unknown Meta-World task or group '{word}', .*did you mean {meant}\?$"):
        META_WORLD.members(word)
