"""Encoder folders: what is wrong with one is said in one line, before anything is allocated."""

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from diffsr_hub import DiffSR, UserError

Make = Callable[..., DiffSR]
GOLDEN = Path(__file__).parents[2] / "golden" / "encoder-v1"


@pytest.fixture
def folder(make_encoder: Make, tmp_path: Path) -> Path:
    make_encoder().save_pretrained(tmp_path / "encoder")
    return tmp_path / "encoder"


def refusal(source: str | Path, **options: Any) -> str:
    """The message with which loading is refused: one line of reasonable length."""
    with pytest.raises(UserError) as caught:
        DiffSR.from_pretrained(source, **options)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 700, message
    return message


def change_config(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = {name: tensor.clone() for name, tensor in load_file(folder / "model.safetensors").items()}
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


# --- compatibility ---------------------------------------------------------------------------------------------------


def test_the_golden_encoder_of_format_1_gives_the_same_numbers_for_ever() -> None:
    """Every release must load `tests/golden/encoder-v1` and reproduce the outputs stored beside it.

    The folder must never be written again: a new format gets a new folder. It was made, once, by:

        torch.manual_seed(0)
        model = DiffSR(3, 2, feature_dim=4, psi_hidden=(8,), nu_hidden=(8, 8), num_levels=4, num_frequencies=4,
                       predict_reward=True)
        for parameter in model.parameters():  # also those that start at zero
            torch.nn.init.normal_(parameter, std=0.4)
        model.set_statistics(torch.tensor([1.0, -2.0, 30.0]), torch.tensor([0.5, 2.0, 10.0]),
                             torch.tensor(1.0), torch.tensor(3.0))
        model.unexplained.copy_(torch.rand(4, 3))
        model.save_pretrained(GOLDEN)
        obs, next_obs = torch.randn(2, 4, 3) * model.obs_std + model.obs_mean
        action, level = torch.rand(4, 2) * 2 - 1, torch.arange(4)
        with torch.no_grad():
            save_file({
                "obs": obs, "action": action, "next_obs": next_obs, "level": level, "psi": model.psi(obs, action),
                "nu": model.nu(next_obs, level), "energy": model.energy(obs, action, next_obs, level),
                "score": model.score(obs, action, next_obs, level), "features": model.features(obs, action),
                "reward": model.predict_reward(obs, action)}, GOLDEN / "outputs.safetensors")
    """
    model, stored = DiffSR.from_pretrained(GOLDEN), load_file(GOLDEN / "outputs.safetensors")
    obs, action, next_obs, level = (stored[name] for name in ("obs", "action", "next_obs", "level"))
    found = {
        "psi": model.psi(obs, action),
        "nu": model.nu(next_obs, level),
        "energy": model.energy(obs, action, next_obs, level),
        "score": model.score(obs, action, next_obs, level),
        "features": model.features(obs, action),
        "reward": model.predict_reward(obs, action),
    }
    assert set(found) | {"obs", "action", "next_obs", "level"} == set(stored)
    for name, value in found.items():
        torch.testing.assert_close({name: value}, {name: stored[name]}, rtol=1e-5, atol=1e-5)


def test_the_base_installation_loads_an_encoder_and_the_hub_offline_is_one_line(tmp_path: Path) -> None:
    program = f"""
import sys
import torch
from diffsr_hub import *
from diffsr_hub import DiffSR, UserError
assert DiffSR.from_pretrained({str(GOLDEN)!r}).psi(torch.zeros(3), torch.zeros(2)).shape == (4,)
extras = "lightning pytorch_lightning minari gymnasium mujoco h5py pyarrow matplotlib jsonargparse tensorboard rich"
assert not (found := sys.modules.keys() & set(extras.split())), found
try:
    DiffSR.from_pretrained("no-such-org/no-such-encoder")
except UserError as error:
    print(error)
"""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        "no-such-org/no-such-encoder is neither a folder nor cached, and the Hub was not reached"
    )
    assert done.stdout.count("\n") == 1


# --- configuration ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as JSON"),
        (b"{", "cannot be read as JSON"),
        (b"[]", "describes 'list', not a DiffSR"),
        (b"null", "describes 'NoneType', not a DiffSR"),
        (b"{}", "describes None, not a DiffSR"),
        (b'{"model_type": "Agent", "format_version": 1}', "describes 'Agent', not a DiffSR"),
        (b'{"model_type": "' + b"x" * 10_000 + b'"}', "describes 'xxx"),
        (b'{"model_type": "DiffSR"}', "format version None"),
        (b'{"model_type": "DiffSR", "format_version": 1}', "lacks action_dim, obs_dim"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_file_that_is_no_configuration(folder: Path, content: bytes, message: str) -> None:
    (folder / "config.json").write_bytes(content)
    assert message in refusal(folder)


@pytest.mark.parametrize("version", [0, 2, -1, "1", 1.0, True, None, [1] * 1000])
def test_a_newer_or_broken_format_asks_for_a_newer_version(folder: Path, version: object) -> None:
    change_config(folder, format_version=version)
    assert "this diffsr-hub reads 1 to 1: install a newer one" in refusal(folder)


def test_an_unknown_key_lists_the_known_ones(folder: Path) -> None:
    change_config(folder, depth=3, self=1)
    message = refusal(folder)
    assert "unknown keys ['depth', 'self']" in message
    assert "obs_dim, action_dim, obs_parts, obs_shape, view, feature_dim" in message and "predict_reward" in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("feature_dim", 10**12),
        ("feature_dim", 10**300),
        ("num_levels", "50"),
        ("num_levels", 5.0),
        ("obs_dim", True),
        ("action_dim", None),
        ("psi_hidden", 256),
        ("psi_hidden", "8"),
        ("psi_hidden", []),
        ("psi_hidden", [[8]]),
        ("psi_hidden", [8] * 300_000),
        ("nu_hidden", {"0": 8}),
        ("nu_hidden", [8, -8]),
        ("psi_network", ["mlp"]),
        ("score", "energy"),
        ("schedule", {}),
        ("predict_reward", "yes"),
        ("predict_reward", 0),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_value_that_no_encoder_has_names_file_and_key(folder: Path, name: str, value: object) -> None:
    change_config(folder, **{name: value})
    message = refusal(folder)
    assert message.startswith(f"{folder / 'config.json'}: ") and name in message


def test_the_largest_allowed_sizes_are_compared_with_the_file_before_they_are_allocated(folder: Path) -> None:
    # 64 layers of 65,536 × 65,536 weights: a terabyte, if anything allocated it.
    change_config(
        folder, psi_hidden=[65_536] * 64, feature_dim=65_536, obs_dim=65_536, score="matrix", nu_hidden=[65_536]
    )
    assert "does not fit its config.json: missing" in refusal(folder)


# --- weights ---------------------------------------------------------------------------------------------------------


def test_a_missing_or_an_extra_tensor_is_named(folder: Path) -> None:
    change_weights(folder, lambda tensors: tensors.update({"intruder": tensors.pop("obs_std")}))
    assert "does not fit its config.json: missing 'obs_std', extra 'intruder'" in refusal(folder)


def test_many_missing_tensors_are_counted(folder: Path) -> None:
    change_weights(folder, lambda tensors: [tensors.pop(name) for name in sorted(tensors)[:10]])
    assert "and 7 more, extra nothing" in refusal(folder)


def test_another_shape_is_named(folder: Path) -> None:
    change_weights(folder, lambda tensors: tensors.update(obs_std=torch.ones(4)))
    assert "obs_std is (4,), expected (3,)" in refusal(folder)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.int32, torch.bool])
def test_another_type_is_named(folder: Path, dtype: torch.dtype) -> None:
    change_weights(folder, lambda tensors: tensors.update(obs_std=tensors["obs_std"].to(dtype)))
    assert f"tensor obs_std is {dtype}, expected torch.float32" in refusal(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_neither_loaded_nor_saved(folder: Path, value: float) -> None:
    model = DiffSR.from_pretrained(folder)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    model.obs_mean[1] = value
    with pytest.raises(UserError, match="DiffSR is not saved: NaN or infinity in 'obs_mean'"):
        model.save_pretrained(folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    change_weights(folder, lambda tensors: tensors["obs_mean"].fill_(value))
    assert refusal(folder).endswith("model.safetensors: NaN or infinity in 'obs_mean'")


@pytest.mark.parametrize("keep", [0, 4, 8, 100, -1])
def test_truncated_weights(folder: Path, keep: int) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:keep])
    assert "is not a readable safetensors file" in refusal(folder)


@pytest.mark.parametrize(
    "content",
    [b"garbage" * 1000, struct.pack("<Q", 2**63), struct.pack("<Q", 2) + b"{}" + b"\0" * 64, b"\x80\x04K*."],
    ids=["garbage", "huge header", "unclaimed bytes", "pickle"],
)
def test_weights_that_are_no_safetensors(folder: Path, content: bytes) -> None:
    (folder / "model.safetensors").write_bytes(content)
    assert "model.safetensors" in refusal(folder)


# --- saving ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fails", ["replace", "write"])
@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_an_interrupted_save_leaves_each_file_whole(
    make_encoder: Make, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, fails: str
) -> None:
    old = {file.name: file.read_bytes() for file in folder.iterdir()}
    replace, write = os.replace, Path.write_bytes

    def broken_replace(source: Path, target: Path) -> None:
        if target.name == name:
            raise KeyboardInterrupt
        replace(source, target)

    def full_disk(file: Path, content: bytes) -> int:
        write(file, content[: len(content) // 2] if name in file.name else content)
        if name in file.name:
            raise OSError(28, "No space left on device")
        return len(content)

    if fails == "replace":
        monkeypatch.setattr("os.replace", broken_replace)
    else:
        monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises((KeyboardInterrupt, OSError)):
        make_encoder(seed=1).save_pretrained(folder)
    monkeypatch.undo()
    assert {file.name for file in folder.iterdir()} == set(old)
    assert (folder / name).read_bytes() == old[name]
    DiffSR.from_pretrained(folder)


def test_saving_creates_the_folder_and_keeps_what_else_is_in_it(make_encoder: Make, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    make_encoder().save_pretrained(folder)
    (folder / "README.md").write_text("kept")
    make_encoder(seed=1).save_pretrained(str(folder))
    assert sorted(file.name for file in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    assert (folder / "README.md").read_text() == "kept"


def test_a_tilde_is_the_home_folder(folder: Path, make_encoder: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    DiffSR.from_pretrained("~/encoder")
    make_encoder().save_pretrained("~/another")
    assert DiffSR.from_pretrained(folder.parent / "another").arguments == DiffSR.from_pretrained(folder).arguments


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_pointer_of_git_lfs_is_recognised(folder: Path, name: str) -> None:
    (folder / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    message = refusal(folder)
    assert message == f"{folder / name} is a pointer of Git LFS, not the file itself: run `git lfs pull` in its folder"
