"""An id is what Gymnasium makes of it, however it is written."""

import gymnasium as gym
import pytest

from diffsr_hub.suites.env_ids import registered


@pytest.mark.parametrize(
    ("env_id", "expected"),
    [
        ("Hopper-v5", "Hopper-v5"),
        ("Hopper-v4", "Hopper-v4"),
        ("gymnasium.envs:Hopper-v5", "Hopper-v5"),
        ("finetune.tasks:diffsr/Hopper-jump-v0", "diffsr/Hopper-jump-v0"),
        ("Hopper", "Hopper-v5"),
        ("gymnasium.envs:Hopper", "Hopper-v5"),
        ("Nobody/Knows", "Nobody/Knows"),
        ("not_imported:Nobody-v3", "Nobody-v3"),
        ("", ""),
    ],
)
def test_an_id_is_read_as_gymnasium_reads_it(env_id: str, expected: str) -> None:
    assert registered(env_id) == expected


@pytest.mark.filterwarnings("ignore:.*Using the latest versioned environment")
@pytest.mark.parametrize("env_id", ["Pendulum-v1", "Pendulum", "gymnasium.envs:Pendulum", "gymnasium.envs:Pendulum-v1"])
def test_it_is_the_id_of_what_is_made(env_id: str) -> None:
    spec = gym.make(env_id).spec
    assert spec is not None and registered(env_id) == spec.id
