"""The formats of datasets: a new one is a package with an object like `Dataset`, and one line here."""

from collections.abc import Callable

from diffsr_hub.data.dataset import Dataset
from diffsr_hub.data.minari.dataset import MinariDataset
from diffsr_hub.errors import unknown

FORMATS: dict[str, Callable[[str], Dataset]] = {"minari": MinariDataset.open}
"""what stands before the colon of an id → what opens the rest; without a colon it is Minari's"""


def open_dataset(identifier: str) -> Dataset:
    """Open a dataset of this machine by its exact id, such as `mujoco/hopper/medium-v0`.

    Raises:
        UserError: it is not there, its description cannot be read, or its format is none of ours.
    """
    name, colon, rest = identifier.partition(":")
    if not colon:
        return FORMATS["minari"](identifier)
    if name not in FORMATS:
        raise unknown("format of a dataset", name, FORMATS)
    return FORMATS[name](rest)
