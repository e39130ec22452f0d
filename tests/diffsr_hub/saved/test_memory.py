"""What hostile files cost in memory, in a process of its own: never more than a small multiple of their size."""

import json
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from diffsr_hub import DiffSR
from finetune import Agent

MEGABYTE = 2**20
MEASURE = """
import json, sys
from pathlib import Path
import finetune
from diffsr_hub import UserError, from_pretrained
from diffsr_hub.hub.inspect import describe

def resident(what):
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what)]
    return int(line.split()[1]) * 1024

growth = []
for folder in [sys.argv[1], *sys.argv[1:]]:
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = resident("VmRSS")
    try:
        {call}(folder)
    except UserError:
        pass
    growth.append(resident("VmHWM") - before)
print(json.dumps(growth[1:]))
"""
WIDE = {"obs_dim": 65_536, "action_dim": 65_536, "feature_dim": 65_536}


def header(content: bytes, size: int | None = None) -> bytes:
    return struct.pack("<Q", len(content) if size is None else size) + content


def table(**tensors: Any) -> bytes:
    return json.dumps(tensors).encode()


CASES: dict[str, tuple[dict[str, Any] | bytes | None, bytes | None]] = {
    "wide layers": ({**WIDE, "psi_hidden": [65_536] * 64, "nu_hidden": [65_536] * 64}, None),
    "many levels and frequencies": ({"num_levels": 65_536, "num_frequencies": 65_536}, None),
    "a nest of brackets": (b"[" * 999_999, None),
    "a number of a million digits": (b'{"model_type": ' + b"1" * 999_900 + b"}", None),
    "a million empty lists": (b"[" + b"[]," * 333_000 + b"[]]", None),
    "a header that says it is endless": (None, header(b"{}", 2**63)),
    "a header of 99 MB": (None, header(b" " * 99_000_000)),
    "a tensor of 2^62 numbers": (None, header(table(x={"dtype": "F32", "shape": [2**62], "data_offsets": [0, 2**63]}))),
    "a hundred thousand tensors": (
        None,
        header(table(**{str(i): {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(100_000)})),
    ),
}


def spoil(folder: Path, config: dict[str, Any] | bytes | None, weights: bytes | None) -> int:
    """Replace files of a folder; returns the bytes of both."""
    if isinstance(config, dict):
        stored = json.loads((folder / "config.json").read_text())
        config = json.dumps(stored | config).encode()
    if config is not None:
        (folder / "config.json").write_bytes(config)
    if weights is not None:
        (folder / "model.safetensors").write_bytes(weights)
    return sum((folder / name).stat().st_size for name in ("config.json", "model.safetensors"))


def growth(folders: Sequence[Path], call: str = "from_pretrained") -> list[int]:
    """Bytes by which the peak of a process grows while it tries to load each; the first one is loaded before."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE.replace("{call}", call), *map(str, folders)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    found: list[int] = json.loads(done.stdout)
    return found


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells the peak of a part")
def test_a_hostile_file_costs_a_small_multiple_of_its_size(
    make_encoder: Callable[..., DiffSR], make_agent: Callable[..., Agent], tmp_path: Path
) -> None:
    sizes = {"good": 0, "absurd agent": 0}
    make_encoder().save_pretrained(tmp_path / "good")
    make_agent().save_pretrained(tmp_path / "absurd agent")
    spoil(tmp_path / "absurd agent", {"actor_hidden": [65_536] * 64, "critic_frequencies": 65_536}, None)
    for case, (config, weights) in CASES.items():
        make_encoder().save_pretrained(tmp_path / case)
        sizes[case] = spoil(tmp_path / case, config, weights)
    found = dict(zip(sizes, growth([tmp_path / case for case in sizes]), strict=True))
    assert {case: cost for case, cost in found.items() if cost > 16 * sizes[case] + 32 * MEGABYTE} == {}


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells the peak of a part")
@pytest.mark.parametrize("size", [1_000_000, 16_000_000])
def test_describing_hostile_metadata_costs_no_more(
    make_encoder: Callable[..., DiffSR], tmp_path: Path, size: int
) -> None:
    names = ("dataset.json", "diagnostics.json", "training.json", "results.json")
    for folder in ("good", "lists"):
        make_encoder().save_pretrained(tmp_path / folder)
    for name in names:
        (tmp_path / "lists" / name).write_bytes(b"[" + b"[]," * (size // 3 - 1) + b"[]]")
    _, cost = growth([tmp_path / "good", tmp_path / "lists"], "describe")
    assert cost <= 16 * len(names) * 1_000_000 + 32 * MEGABYTE


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells the peak of a part")
def test_the_measurement_sees_what_is_loaded(make_encoder: Callable[..., DiffSR], tmp_path: Path) -> None:
    make_encoder().save_pretrained(tmp_path / "small")
    make_encoder(nu_hidden=(2_048, 2_048)).save_pretrained(tmp_path / "large")
    small, large = growth([tmp_path / "small", tmp_path / "large"])
    assert large > (tmp_path / "large" / "model.safetensors").stat().st_size > small
