import pytest
from metaworld import env_dict
from metaworld.policies import ENV_POLICY_MAP

from diffsr_hub.errors import UserError
from diffsr_hub.meta_world.tasks import GROUPS, TASKS, is_known, is_meta_world, members

OFFICIAL = {
    "metaworld/ml10-train": env_dict.ML10_V3["train"],
    "metaworld/ml10-test": env_dict.ML10_V3["test"],
    "metaworld/ml45-train": env_dict.ML45_V3["train"],
    "metaworld/ml45-test": env_dict.ML45_V3["test"],
    "metaworld/mt10": env_dict.MT10_V3,
    "metaworld/mt50": env_dict.MT50_V3,
}


def test_tasks_and_groups_are_those_of_the_package() -> None:
    assert set(TASKS) == {f"metaworld/{name}" for name in env_dict.ALL_V3_ENVIRONMENTS}
    assert set(TASKS) == {f"metaworld/{name}" for name in ENV_POLICY_MAP}
    assert {name: set(tasks) for name, tasks in GROUPS.items()} == {
        name: {f"metaworld/{task}" for task in tasks} for name, tasks in OFFICIAL.items()
    }


def test_a_group_is_its_tasks_and_a_task_itself() -> None:
    assert len(members("metaworld/ml45-train")) == 45
    assert members("metaworld/door-open-v3") == ("metaworld/door-open-v3",)
    assert is_meta_world("metaworld/nothing") and not is_meta_world("mujoco/hopper")
    words = ("metaworld/ml10-test", "metaworld/door-open-v3", "metaworld/door-open", "mujoco/hopper")
    assert [is_known(word) for word in words] == [True, True, False, False]


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
