import pytest
from metaworld import env_dict
from metaworld.policies import ENV_POLICY_MAP

from diffsr_hub.errors import UserError
from diffsr_hub.suites.meta_world.names import GROUPS, TASKS, is_group, is_known, is_meta_world, members

OFFICIAL = {
    "metaworld/ml10-train": env_dict.ML10_V3["train"],
    "metaworld/ml10-test": env_dict.ML10_V3["test"],
    "metaworld/ml45-train": env_dict.ML45_V3["train"],
    "metaworld/ml45-test": env_dict.ML45_V3["test"],
    "metaworld/mt10": env_dict.MT10_V3,
    "metaworld/mt50": env_dict.MT50_V3,
}
PAPER8 = "metaworld/paper8"


def test_tasks_and_groups_are_those_of_the_package() -> None:
    assert set(TASKS) == {f"metaworld/{name}" for name in env_dict.ALL_V3_ENVIRONMENTS}
    assert set(TASKS) == {f"metaworld/{name}" for name in ENV_POLICY_MAP}
    official = {name: {f"metaworld/{task}" for task in tasks} for name, tasks in OFFICIAL.items()}
    assert {name: set(tasks) for name, tasks in GROUPS.items() if name != PAPER8} == official
    assert len(GROUPS[PAPER8]) == 8 and set(GROUPS[PAPER8]) < set(TASKS)


def test_a_group_is_its_tasks_and_a_task_itself() -> None:
    assert len(members("metaworld/ml45-train")) == 45
    assert members("metaworld/door-open-v3") == ("metaworld/door-open-v3",)
    assert is_meta_world("metaworld/nothing") and not is_meta_world("mujoco/hopper")
    words = ("metaworld/ml10-test", "metaworld/door-open-v3", "metaworld/door-open", "mujoco/hopper")
    assert [is_known(word) for word in words] == [True, True, False, False]
    assert [is_group(word) for word in words] == [True, False, False, False]


def test_a_group_can_leave_one_task_out() -> None:
    word, left_out = "metaworld/mt50-without-door-open-v3", "metaworld/door-open-v3"
    assert members(word) == tuple(task for task in TASKS if task != left_out) and len(members(word)) == 49
    assert is_group(word) and is_known(word)


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
    assert is_group(word) and not is_known(word)
    with pytest.raises(UserError, match=message):
        members(word)


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
        members(word)
