"""How often networks are called, and on how many rows: measured, not asserted."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import nn


@dataclass
class Count:
    """Of one network."""

    calls: int = 0
    rows: int = 0
    """samples in all calls together"""


@contextmanager
def counting(networks: Mapping[str, nn.Module]) -> Iterator[dict[str, Count]]:
    """Count the calls of some networks, by name, while the context lasts; rows are those of the first argument."""
    counts = {name: Count() for name in networks}

    def hook(count: Count) -> Any:
        def note(_: nn.Module, inputs: tuple[Any, ...]) -> None:
            count.calls += 1
            count.rows += len(inputs[0])

        return note

    hooks = [network.register_forward_pre_hook(hook(counts[name])) for name, network in networks.items()]
    try:
        yield counts
    finally:
        for handle in hooks:
            handle.remove()
