"""A Minari dataset as the `Dataset` that the rest of the project reads."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from diffsr_hub.data.dataset import Spaces, StoredEpisode
from diffsr_hub.data.minari.provenance import provenance
from diffsr_hub.data.minari.source import Source, open_source
from diffsr_hub.data.minari.stored import stored_episodes
from diffsr_hub.data.spaces import Leaf
from diffsr_hub.errors import UserError, on_one_line

if TYPE_CHECKING:
    import gymnasium as gym


@dataclass(frozen=True)
class MinariDataset:
    """See `diffsr_hub.data.dataset.Dataset`."""

    source: Source
    format = "minari"

    @classmethod
    def open(cls, identifier: str) -> Self:
        """Find it on this machine by its exact id.

        Raises:
            UserError: it is not there, cannot be read, or its metadata is not Minari's.
        """
        return cls(open_source(identifier))

    @property
    def id(self) -> str:
        """Minari's id."""
        return self.source.id

    @property
    def num_episodes(self) -> int:
        """As its metadata say."""
        return self.source.episodes

    @property
    def spaces(self) -> Spaces:
        """JSON inside strings of the metadata."""
        return Spaces(self._space("observation_space"), self._space("action_space"))

    def episodes(self, leaves: Sequence[Leaf], action: "gym.Space[Any]") -> Iterator[StoredEpisode]:
        """Of HDF5, Arrow or Parquet files."""
        return stored_episodes(self.source, leaves, action)

    def fingerprint(self) -> dict[str, Any]:
        """Sizes and times of its files, and where they are."""
        return {"folder": str(self.source.folder.resolve()), "files": self.source.fingerprint()}

    def sha256(self) -> str:
        """Of its data, not of its metadata."""
        return self.source.sha256()

    def provenance(self) -> dict[str, Any]:
        """Minari's own fields, and where the dataset is from."""
        return provenance(self.source)

    def _space(self, name: str) -> dict[str, Any]:
        stored = self.source.metadata[name]
        try:
            space = json.loads(stored) if isinstance(stored, str) else stored
            if not isinstance(space, dict):
                raise ValueError(f"a {type(space).__name__}, not an object")
        except (ValueError, RecursionError) as error:
            raise UserError(
                f"dataset {self.id}: the {name} in its metadata.json is not that of Minari ({on_one_line(error)})"
            ) from error
        return space
