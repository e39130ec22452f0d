from dataclasses import replace
from typing import Any

import pytest

from diffsr_hub.suites.pixels.view import Camera, View
from tests.refusal import refusal

CAMERA = Camera("torso", 0.5, 2.0)
VIEW = View("Robot", camera=CAMERA)


@pytest.mark.parametrize(
    "change",
    [
        {"scene": "Other"},
        {"size": 84},
        {"camera": "track"},
        {"camera": replace(CAMERA, elevation=-20.0)},
        {"samples": 4},
        {"cell": 0.01},
        {"action_repeat": 2},
        {"stack": 1},
        {"spacing": 2},
    ],
    ids=str,
)
def test_every_setting_changes_the_fingerprint(change: dict[str, Any]) -> None:
    assert replace(VIEW, **change).fingerprint() != VIEW.fingerprint()
    assert View("Robot", camera=CAMERA).fingerprint() == VIEW.fingerprint()


@pytest.mark.parametrize(
    ("setting", "value"),
    [("size", 7), ("size", 64.0), ("size", 10_000), ("stack", 0), ("spacing", 0), ("samples", -1), ("stack", True)],
)
def test_numbers_that_mean_nothing_are_refused(setting: str, value: Any) -> None:
    assert f"{setting} of a view must be a whole number" in refusal(lambda: replace(VIEW, **{setting: value}))
