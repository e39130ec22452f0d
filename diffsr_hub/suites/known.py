"""The suites that this project knows, and what a name means in them: one more suite is a package and a line here."""

from diffsr_hub.errors import UserError
from diffsr_hub.suites.env_ids import registered
from diffsr_hub.suites.meta_world.suite import META_WORLD
from diffsr_hub.suites.mujoco.suite import MUJOCO
from diffsr_hub.suites.suite import Rewards, Suite

SUITES: dict[str, Suite] = {suite.namespace: suite for suite in (MUJOCO, META_WORLD)}
"""by the first part of the names of their datasets"""


def suite_of_data(word: str) -> Suite | None:
    """The suite that the name of a dataset, a namespace or a group is meant for, whether it is one of it or not."""
    return SUITES.get(word.partition("/")[0])


def suite_of_env(env_id: str) -> Suite | None:
    """The suite of an environment, registered with Gymnasium; None for the environments of others.

    Raises:
        UserError: The id is meant for a suite and is none of its tasks.
    """
    namespace = env_id.rpartition(":")[2].partition("/")[0]
    for suite in SUITES.values():
        if suite.env_namespace == namespace:
            suite.register()
            suite.check_task(registered(env_id))
            return suite
    return None


def rewards(env_id: str) -> Rewards | None:
    """The rewards of an environment as a function of what is observed, where they are known as one.

    Raises:
        UserError: As of `suite_of_env`.
    """
    suite = suite_of_env(env_id)
    return None if suite is None else suite.rewards.get(registered(env_id))


def can_collect(word: str) -> bool:
    """Whether a word is a namespace or a group whose data can be collected here."""
    suite = suite_of_data(word)
    try:
        return suite is not None and bool(suite.members(word))
    except UserError:
        return False


def bundled_version(namespace: str) -> int:
    """The version of the dataset that is collected for a namespace; 0 where none can be."""
    suite = suite_of_data(namespace)
    return 0 if suite is None else suite.bundled.get(namespace, 0)
