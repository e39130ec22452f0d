from pathlib import Path

import pytest

from benchmarks.studies.transfer import ABOUT, ARMS
from finetune.sweep.plan import plan, read_arms, write_down


@pytest.mark.parametrize("file", ARMS, ids=lambda file: file.name)
def test_every_arm_is_one_that_a_run_can_have(file: Path, tmp_path: Path) -> None:
    write_down(plan(["Hopper-v5", "diffsr/Walker2d-backward-v0"], read_arms(file), [0], tmp_path, {}))


def test_the_arms_with_a_warm_start_differ_in_their_psi_alone() -> None:
    arms = [
        {name: value for name, value in settings.items() if name not in ("encoder", "mode")}
        for settings in read_arms(ARMS[1]).values()
    ]
    assert len(arms) == 3 and all(arm == arms[0] for arm in arms)


def test_the_cards_explain_every_arm_that_they_show() -> None:
    own = [arm for file in ARMS[:2] for arm in read_arms(file)]
    assert set(ABOUT["arms"]) == {*own, "sac"}
