"""A second device for machines without one: tensors on it must not meet those of the CPU, as on a GPU.

It is called `meta`, where torch has no kernels of its own to get in the way; the numbers are kept on the CPU.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map, tree_map_only

DEVICE = torch.device("meta")
aten = torch.ops.aten
_MOVES = {aten.copy_, aten._to_copy}
_INDEXES = {aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_}
"""take indices of the CPU on any device"""
_READS = {aten._local_scalar_dense, aten.equal, aten.is_nonzero}
"""give plain values"""


class There(Tensor):
    """A tensor of the other device."""

    here: Tensor

    @staticmethod
    def __new__(cls, here: Tensor) -> "There":
        there = Tensor._make_wrapper_subclass(
            cls,
            here.shape,
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            device=DEVICE,
        )
        there.here = here
        return there

    def __repr__(self, **_: Any) -> str:
        return f"There({self.here})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _dispatch(func, args, kwargs or {})


class Generator(torch.Generator):
    """A source of noise of any device; that of the other one draws as that of the CPU."""

    def __new__(cls, device: Any = "cpu") -> "Generator":
        is_other = torch.device(device) == DEVICE
        generator = super().__new__(cls, "cpu" if is_other else device)
        generator.is_other = is_other
        return generator

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return DEVICE if self.is_other else super().device


class _Factories(TorchDispatchMode):
    """Makes what is asked for on the other device there."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _dispatch(func, args, kwargs or {})


def _dispatch(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    packet, given = func.overloadpacket, tree_flatten((args, kwargs))[0]
    tensors = [value for value in given if isinstance(value, Tensor)]
    there = [tensor for tensor in tensors if isinstance(tensor, There)]
    asked = kwargs.get("device")
    goes = bool(there) if asked is None else torch.device(asked) == DEVICE
    if packet not in _MOVES and there:
        foreign = [tensor for tensor in tensors if tensor.dim() and not isinstance(tensor, There)]
        if packet in _INDEXES and isinstance(args[0], There):
            foreign = [tensor for tensor in foreign if tensor.dtype not in (torch.long, torch.bool)]
        if foreign:
            raise RuntimeError(f"{func} mixes devices: {[tuple(tensor.shape) for tensor in foreign]} are on the CPU")
    if asked is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    args, kwargs_here = tree_map_only(There, lambda tensor: tensor.here, (args, kwargs))
    if packet is aten._to_copy and kwargs_here.get("non_blocking"):
        kwargs_here["non_blocking"] = False
    result = func(*args, **kwargs_here)
    if result is None or not goes or packet in _READS:
        return given[0] if packet is aten.copy_ else result
    if func._schema.name.endswith("_") and isinstance(given[0], There):  # in place
        return given[0]
    return tree_map(lambda value: There(value) if isinstance(value, Tensor) else value, result)


@contextmanager
def used(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let torch have the device while the context lasts."""
    monkeypatch.setattr(torch, "Generator", Generator)
    adam = sys.modules[torch.optim.Adam.__module__]
    monkeypatch.setattr(adam, "_device_dtype_check_for_fused", lambda *_: None)  # knows real devices only
    tensor = torch.tensor  # takes a short cut where the device is `meta`
    monkeypatch.setattr(torch, "tensor", lambda data, *, device=None, **options: tensor(data, **options).to(device))
    with _Factories():
        yield
