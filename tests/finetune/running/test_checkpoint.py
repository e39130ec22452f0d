"""Laws of a checkpoint: what is loaded is what was saved; a file is the old one or the new one, never a half."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from diffsr_hub.errors import UserError
from finetune.running import checkpoint

STATE: dict[str, Any] = {
    "step": 3,
    "seconds": 0.1 + 0.2,
    "nothing": None,
    "yes": True,
    "text": "ψ",
    "nan": float("nan"),
    "tensors": [torch.randn(2, 3), {"int": torch.arange(3), "byte": torch.arange(3, dtype=torch.uint8)}],
    "scalar": torch.tensor(2.5),
    "empty": [torch.zeros(0, 4), [], {}],
    "optimizer": {0: {"step": torch.tensor(1.0)}, 1: {"betas": [0.9, 0.999]}},
}


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and one.shape == other.shape and torch.equal(one, other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return type(one) is type(other) and repr(one) == repr(other)


def test_everything_comes_back(tmp_path):
    checkpoint.save(tmp_path / "state", STATE)
    assert equal(checkpoint.load(tmp_path / "state"), STATE)
    assert [file.name for file in tmp_path.iterdir()] == ["state"]


def test_what_is_saved_does_not_change_with_the_tensors_afterwards(tmp_path):
    weights = torch.zeros(3)
    checkpoint.save(tmp_path / "state", {"weights": weights, "view": weights[1:]})
    weights += 1
    loaded = checkpoint.load(tmp_path / "state")
    assert loaded["weights"].tolist() == [0, 0, 0] and loaded["view"].tolist() == [0, 0]
    loaded["view"] += 1
    assert loaded["weights"].tolist() == [0, 0, 0]


def test_adam_goes_on_from_it_bit_for_bit(tmp_path):
    weights = [torch.nn.Parameter(torch.ones(4)) for _ in range(2)]
    optimizers = [torch.optim.Adam([w], lr=0.1, fused=True) for w in weights]

    def step(i: int) -> None:
        optimizers[i].zero_grad()
        weights[i].pow(4).sum().backward()
        optimizers[i].step()

    for _ in range(3):
        step(0)
    checkpoint.save(tmp_path / "state", {"weights": weights[0], "adam": optimizers[0].state_dict()})
    loaded = checkpoint.load(tmp_path / "state")
    weights[1].data.copy_(loaded["weights"])
    optimizers[1].load_state_dict(loaded["adam"])
    for i in (0, 1, 0, 1):
        step(i)
    assert torch.equal(*weights)


@pytest.mark.parametrize("moment", ["write", "replace"])
def test_an_interrupted_save_leaves_the_old_state_and_nothing_half(tmp_path, monkeypatch, moment):
    file = tmp_path / "state"
    checkpoint.save(file, {"step": 1})

    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(*((Path, "write_bytes") if moment == "write" else (os, "replace")), fail)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(file, {"step": 2})
    assert checkpoint.load(file) == {"step": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


@pytest.mark.parametrize("harm", ["missing", "cut", "garbage", "foreign"])
def test_what_is_no_checkpoint_is_named_in_one_line(tmp_path, harm):
    file = tmp_path / "state.safetensors"
    checkpoint.save(file, STATE)
    content = file.read_bytes()
    if harm == "missing":
        file.unlink()
    elif harm == "foreign":
        from safetensors.torch import save_file

        save_file({"a": torch.zeros(1)}, file)
    else:
        file.write_bytes(content[:-5] if harm == "cut" else b"not a checkpoint" * 9)
    with pytest.raises(UserError, match=r"state\.safetensors is not a readable checkpoint.*start a new run") as error:
        checkpoint.load(file)
    assert "\n" not in str(error.value)
