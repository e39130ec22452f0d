from metaworld import env_dict
from metaworld.policies import ENV_POLICY_MAP

from diffsr_hub.suites.meta_world.names import GROUPS, TASKS

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
