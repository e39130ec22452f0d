"""The floor under an update: its matrix products, forward and backward, and nothing else.

Same shapes, same layouts, results written into memory that is already there.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

PRODUCTS = ("mm", "addmm", "bmm", "baddbmm")


class RecordProducts(TorchDispatchMode):
    """Notes every matrix product with operands of the same shapes and strides."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.products: list[tuple[Callable[..., Any], list[torch.Tensor], torch.Tensor]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        """Run the operation, and remember it if it is a product."""
        result = func(*args, **(kwargs or {}))
        name = func._schema.name.removeprefix("aten::")
        if name in PRODUCTS:
            operands = [torch.empty_strided(a.shape, a.stride()).normal_() for a in args[-2:]]
            product = torch.bmm if "bmm" in name else torch.mm
            self.products.append((product, operands, torch.empty_like(result)))
        return result

    def replay(self) -> None:
        """All products again."""
        for product, operands, result in self.products:
            product(*operands, out=result)
