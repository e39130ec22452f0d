import json
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.program import ROOT
from benchmarks.studies.knowledge import probe_r2
from benchmarks.studies.scaling import FILE
from benchmarks.studies.scaling_sizes import order, sizes
from benchmarks.studies.scaling_table import draw, summary, table
from diffsr_hub.errors import UserError
from diffsr_hub.suites.meta_world.names import GROUPS


def row(probe: str, seed: int, tasks: int, transitions: int, psi: float, **known: bool) -> dict[str, Any]:
    r2 = {"psi": psi, "random_psi": 0.5, "raw": 0.25}
    probes = {"change": r2, "reward": r2}
    return {
        **{"probe": probe, "seed": seed, "tasks": tasks, "transitions": transitions, "own": False, "seen": False},
        **{"probes": probes, "loss": {"encoder": 0.1, "without_state_action": 0.4}},
        **known,
    }


ROWS = [
    row(probe, seed, tasks, transitions, psi + 0.02 * seed, **known)
    for seed in (0, 1)
    for probe in ("a", "b")
    for tasks, transitions, psi, known in (
        (1, 100, 0.9, {"own": True, "seen": True}),
        (5, 100, 0.6, {}),
        (45, 100, 0.7, {}),
        (45, 900, 0.8, {"seen": probe == "b"}),
    )
]


def test_larger_sets_of_tasks_have_the_smaller_ones_in_them() -> None:
    found = sizes([5, 15, 45], [5, 15, 45], 225, ["metaworld/bin-picking-v3"])
    assert [(len(size.tasks), size.episodes, size.own) for size in found] == [
        *((5, 45, False), (15, 15, False), (45, 5, False), (45, 15, False), (45, 45, False), (1, 225, True))
    ]
    assert all(size.tasks == order()[: len(size.tasks)] for size in found if not size.own)
    assert set(order()) == set(GROUPS["metaworld/ml45-train"])
    assert len({size.name for size in found}) == len(found)


def test_sizes_that_cannot_be() -> None:
    with pytest.raises(UserError, match="there are 45 tasks in metaworld/ml45-train, not 46"):
        sizes([46], [5], 230, [])
    for counts, episodes, total in (([], [5], 30), ([0], [5], 30), ([5], [-5], 30), ([5], [5], 0)):
        with pytest.raises(UserError, match="are at least 1"):
            sizes(counts, episodes, total, [])
    for counts, episodes, total in (([4], [5], 30), ([5], [7], 25)):
        with pytest.raises(UserError, match="multiple of 5 episodes"):
            sizes(counts, episodes, total, [])


def test_seeds_are_estimated_of_means_over_probe_tasks() -> None:
    own, five, *_ = summary([each for each in ROWS if each["probe"] == "a"])
    assert own.own and own.seen == "1 of 1" and not five.own and five.seen == "0 of 1"
    assert five.values["change: ψ"].centre == pytest.approx(0.61)
    assert five.values["score loss ÷ without (s, a)"].centre == pytest.approx(0.25)


def test_tasks_that_were_learned_from_have_a_table_of_their_own(tmp_path: Path) -> None:
    unseen, seen = table(ROWS).split("\n\n**")
    assert unseen.count("\n| 45 tasks |") == 2 and "| 45 tasks | 900 | 0 of 1 | 0.81" in unseen
    assert "| 45 tasks | 900 | 1 of 1 |" in seen
    draw(ROWS, tmp_path / "scaling.png")
    assert (tmp_path / "scaling.png").stat().st_size > 0


def test_what_hardly_varied_when_a_probe_was_fitted_does_not_decide_what_it_predicts() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(500, 3, generator=generator) for _ in range(2))
    targets = [each[:, :2].sum(1, keepdim=True) for each in (x, y)]
    assert probe_r2([x, y], targets) > 0.999
    x[:, 2] *= 1e-5
    assert probe_r2([x, y], targets) > 0.9


def test_the_documented_table_is_that_of_the_results() -> None:
    found = json.loads((ROOT / FILE).read_text())
    assert table(found["rows"]) in (ROOT / "docs" / "metaworld_study.md").read_text()
    assert (ROOT / "docs/generated/scaling/scaling.md").read_text() == table(found["rows"])
    assert tuple(found["order"]) == order()
