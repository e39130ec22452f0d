"""Whatever a suite says can be collected has something that plays it."""

from diffsr_hub.suites.known import SUITES, can_collect
from pretrain.behaviour.sources import SOURCES, names, source_of


def test_every_suite_with_bundled_data_has_a_source() -> None:
    assert {name: suite for name, suite in SUITES.items() if suite.bundled} == {
        name: source.suite for name, source in SOURCES.items()
    }
    words = [word for suite in SUITES.values() for word in (*suite.bundled, *suite.groups)]
    assert all(can_collect(word) and source_of(word).suite.members(word) for word in words)


def test_what_can_be_collected_is_said_in_words() -> None:
    assert names() == (
        "mujoco/halfcheetah, mujoco/hopper, mujoco/invertedpendulum, mujoco/swimmer, mujoco/walker2d; "
        "a task such as metaworld/assembly-v3; a group of them: metaworld/ml10-train, metaworld/ml10-test, "
        "metaworld/ml45-train, metaworld/ml45-test, metaworld/mt10, metaworld/mt50, metaworld/paper8"
    )
