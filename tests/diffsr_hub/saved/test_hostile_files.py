"""Repositories and folders that mean harm: nothing executes, nothing is written elsewhere, a refusal is one line."""

import inspect
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diffsr_hub import DiffSR, UserError
from diffsr_hub.cards.card import write_card
from diffsr_hub.hub.inspect import describe
from diffsr_hub.hub.publish import publish
from diffsr_hub.saved.kinds import from_pretrained
from tests.hub.samples import CLIENTS_OWN_WARNING, NAME
from tests.hub.server import Hub
from tests.refusal import refusal

pytest_plugins = ["tests.hub.fixtures"]
pytestmark = pytest.mark.filterwarnings(CLIENTS_OWN_WARNING)
CASES = int(os.environ.get("DIFFSR_FUZZ_CASES", "100"))
fuzzed = settings(
    max_examples=CASES,
    deadline=None,
    database=None,
    derandomize=CASES == 100,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def written(tmp_path: Path) -> set[Path]:
    """All that is on the disk, except what the Hub and the cache keep."""
    return {file for file in tmp_path.rglob("*") if {"hub", "hf"}.isdisjoint(file.relative_to(tmp_path).parts)}


# --- repositories ----------------------------------------------------------------------------------------------------


def pickle_that_runs(marker: Path) -> bytes:
    return b"cos\nsystem\n(S'touch " + str(marker).encode() + b"'\ntR."


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.ckpt", "model.pkl", "model.safetensors"])
def test_a_pickle_is_neither_run_nor_asked_for(hub: Hub, folder: Path, tmp_path: Path, name: str) -> None:
    config = (folder / "config.json").read_bytes()
    hub.store.plant("org/pickle", {"config.json": config, name: pickle_that_runs(tmp_path / "marker")})
    refusal(lambda: from_pretrained("org/pickle"))
    describe("org/pickle")
    assert not (tmp_path / "marker").exists()
    assert name == "model.safetensors" or hub.asked(name) == []


def test_file_names_that_climb_out_are_never_followed(hub: Hub, folder: Path, tmp_path: Path) -> None:
    names = ["../../evil", "/etc/evil", "a/../../evil", "..\\evil", "evil\x1b[2J"]
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    hub.store.plant(NAME, files | dict.fromkeys(names, b"evil"))
    before = written(tmp_path)
    from_pretrained(NAME)
    assert "\x1b" not in describe(NAME)["files"]
    assert written(tmp_path) == before and hub.asked("evil") == []


def test_a_card_with_a_bomb_or_a_script_is_not_even_read(hub: Hub, folder: Path) -> None:
    bomb = "---\na: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(20)
    )
    (folder / "README.md").write_text(f"{bomb}---\n<script>alert(1)</script>\n")
    assert "README.md is not what its files say" in refusal(lambda: publish(folder, NAME))
    files = {file.name: file.read_bytes() for file in folder.iterdir() if file.name != "README.md"}
    hub.store.plant(NAME, files)
    from_pretrained(NAME)
    describe(NAME)
    assert hub.asked("README") == []


@pytest.mark.parametrize(
    "config",
    [
        b"[" * 500_000,
        b'{"model_type": ' + b"[" * 400_000,
        b'{"model_type": "DiffSR", "format_version": 1' + b"0" * 900_000 + b"}",
        b'{"model_type": "\\u001b[2J<script>"}',
        b'{"model_type": "diffsr_hub.saved.kinds:from_pretrained"}',
        b'{"model_type": "os:system"}',
        b'{"model_type": {"a": 1}}',
        b"\xef\xbb\xbf{}",
        b'{"model_type": "DiffSR", "format_version": 1, "obs_dim": 1e400, "action_dim": NaN}',
        json.dumps({"model_type": "DiffSR", "format_version": 1, "obs_dim": 65_536, "action_dim": 65_536}).encode(),
    ],
    ids=lambda config: config[:30],
)
def test_a_configuration_that_is_a_trap(hub: Hub, folder: Path, config: bytes) -> None:
    weights = (folder / "model.safetensors").read_bytes()
    hub.store.plant("org/trap", {"config.json": config, "model.safetensors": weights})
    refusal(lambda: from_pretrained("org/trap"))
    if b"65536" not in config:
        refusal(lambda: describe("org/trap"))


@pytest.mark.parametrize(
    "config", [b"[" * 500_000, b" " * 2_000_000, b'{"obs_dim": NaN}'], ids=["nest", "large", "nan"]
)
def test_weights_beside_a_configuration_that_cannot_be_read_are_not_asked_for(
    hub: Hub, folder: Path, config: bytes
) -> None:
    weights = (folder / "model.safetensors").read_bytes()
    hub.store.plant("org/trap", {"config.json": config, "model.safetensors": weights})
    assert "config.json cannot be read as JSON" in refusal(lambda: from_pretrained("org/trap"))
    assert hub.asked("model.safetensors|/lfs/") == []


def header(content: Any, size: int | None = None) -> bytes:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text


@pytest.mark.parametrize(
    "weights",
    [
        header(b"{}", 2**64 - 1),
        header(b"{}", 99_000_000),
        header(b"[" * 100_000),
        header({"obs_std": {"dtype": "F32", "shape": [2**62, 4], "data_offsets": [0, 2**63]}}),
        header({"obs_std": {"dtype": "F32", "shape": [3], "data_offsets": [-1, 11]}}) + b"\0" * 12,
        header({"obs_std": {"dtype": "F32", "shape": [3], "data_offsets": [12, 0]}}) + b"\0" * 12,
        header({f"{i}": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]} for i in range(1_000)}) + b"\0" * 12,
        header({"\x1b[2J" * 100: {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}}) + b"\0" * 12,
    ],
    ids=range(8),
)
def test_weights_that_are_a_trap(hub: Hub, folder: Path, weights: bytes) -> None:
    config = (folder / "config.json").read_bytes()
    hub.store.plant("org/trap", {"config.json": config, "model.safetensors": weights})
    refusal(lambda: from_pretrained("org/trap"))


# --- folders ---------------------------------------------------------------------------------------------------------


def test_a_file_of_64_gigabytes_is_refused_before_it_is_read(folder: Path) -> None:
    with (folder / "model.safetensors").open("r+b") as file:
        file.truncate(2**36)  # a hole: it takes no place on the disk
    assert "is not a readable safetensors file" in refusal(lambda: from_pretrained(folder))


def test_links_out_of_a_folder_show_nothing(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("root:x:0:0")
    for name in ("config.json", "model.safetensors"):
        kept = (folder / name).read_bytes()
        (folder / name).unlink()
        (folder / name).symlink_to(tmp_path / "secret")
        assert "root:x" not in refusal(lambda: from_pretrained(folder))
        (folder / name).unlink()
        (folder / name).write_bytes(kept)
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to("config.json")
    refusal(lambda: from_pretrained(folder))


def pipe(file: Path) -> None:
    os.mkfifo(file)


def endless(file: Path) -> None:
    file.symlink_to("/dev/zero")


def nest(file: Path) -> None:
    file.write_text("[" * 100_000)


def nest_that_json_takes(file: Path) -> None:
    file.write_text('{"probes": ' + "[" * 900 + "]" * 900 + "}")


def number(text: str) -> Callable[[Path], object]:
    return lambda file: file.write_text(f'{{"discount": {text}}}')


@pytest.mark.parametrize("name", ["config.json", "dataset.json", "diagnostics.json", "transfer.json"])
@pytest.mark.parametrize(
    "trap",
    [pipe, endless, nest, nest_that_json_takes, *map(number, ("NaN", "-Infinity", "1e400", "1" + "0" * 400))],
    ids=["pipe", "endless", "nest", "lists", "nan", "infinity", "float", "int"],
)
def test_metadata_that_is_a_trap(folder: Path, name: str, trap: Callable[[Path], object]) -> None:
    (folder / name).unlink(missing_ok=True)
    trap(folder / name)
    refusal(lambda: write_card(folder, NAME))
    refusal(lambda: publish(folder, NAME))
    if name == "config.json":
        refusal(lambda: describe(str(folder)))
    else:
        assert describe(str(folder))["model"] == "DiffSR"


# --- fuzzing: DIFFSR_FUZZ_CASES=3000 for the long run that docs/hub.md tells about -----------------------------------

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["vp", "mlp", 65_536]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=5),
    max_leaves=10,
)
KEYS = st.sampled_from(["model_type", "format_version", "self", *inspect.signature(DiffSR).parameters])


def survives(folder: Path) -> None:
    """It loads into something sound, or is refused in one line."""
    try:
        model = from_pretrained(folder)
    except UserError as error:
        assert "\n" not in str(error) and len(str(error)) < 1_000
    else:
        assert type(model) is DiffSR
        assert all(torch.isfinite(tensor).all() for tensor in model.state_dict().values())


@fuzzed
@given(changes=st.dictionaries(KEYS | st.text(max_size=10), JSON, max_size=4))
def test_any_configuration_is_loaded_or_refused(fuzz_folder: Path, changes: dict[str, Any]) -> None:
    config = json.loads((fuzz_folder / "config.kept").read_text())
    (fuzz_folder / "config.json").write_text(json.dumps(config | changes), encoding="utf-8", errors="replace")
    survives(fuzz_folder)


@fuzzed
@given(content=st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_as_a_configuration_are_refused(fuzz_folder: Path, content: bytes) -> None:
    (fuzz_folder / "config.json").write_bytes(content)
    survives(fuzz_folder)


@fuzzed
@given(
    cuts=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 40), st.binary(max_size=40)), min_size=1, max_size=4)
)
def test_weights_with_any_bytes_replaced_are_loaded_or_refused(
    fuzz_folder: Path, cuts: list[tuple[int, int, bytes]]
) -> None:
    content = (fuzz_folder / "weights.kept").read_bytes()
    for place, length, new in cuts:
        start = place % (len(content) + 1)
        content = content[:start] + new + content[start + length :]
    (fuzz_folder / "model.safetensors").write_bytes(content)
    survives(fuzz_folder)


@fuzzed
@given(name=st.integers(0, 100), key=st.sampled_from(["dtype", "shape", "data_offsets", "x"]), value=JSON)
def test_any_header_of_the_weights_is_loaded_or_refused(fuzz_folder: Path, name: int, key: str, value: Any) -> None:
    content = (fuzz_folder / "weights.kept").read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    table = json.loads(content[8 : 8 + size])
    table[sorted(table)[name % len(table)]][key] = value
    (fuzz_folder / "model.safetensors").write_bytes(header(table) + content[8 + size :])
    survives(fuzz_folder)


@pytest.fixture
def fuzz_folder(make_encoder: Callable[..., DiffSR], tmp_path: Path) -> Path:
    """An encoder folder, and what it was before it was spoiled."""
    make_encoder().save_pretrained(tmp_path / "fuzz")
    for name, kept in (("config.json", "config.kept"), ("model.safetensors", "weights.kept")):
        (tmp_path / "fuzz" / kept).write_bytes((tmp_path / "fuzz" / name).read_bytes())
    return tmp_path / "fuzz"
