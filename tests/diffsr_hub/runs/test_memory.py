from pathlib import Path

import pytest

from diffsr_hub.runs import memory
from diffsr_hub.runs.memory import available, check_memory
from tests.refusal import refusal


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "meminfo"
    monkeypatch.setattr(memory, "_TOLD", file)
    return file


def test_what_does_not_fit_is_refused_with_both_sizes(told: Path) -> None:
    told.write_text("MemTotal:  9000000 kB\nMemAvailable:  2000000 kB\n")
    assert available() == 2_048_000_000
    check_memory(2_000_000_000, "a thing", "less")
    message = refusal(lambda: check_memory(3_500_000_000, "a million things", "make fewer"))
    assert message == "a million things need 3.5 GB of memory, and 2.0 GB are free: make fewer"


@pytest.mark.parametrize("text", [None, "", "MemFree: 1 kB", "MemAvailable:", "MemAvailable: lots"])
def test_where_the_system_does_not_tell_anything_fits(told: Path, text: str | None) -> None:
    if text is not None:
        told.write_text(text)
    assert available() is None
    check_memory(10**18, "a thing", "less")
