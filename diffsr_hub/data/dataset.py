"""What a dataset is to the rest of the project, whatever format it is stored in."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from numpy.typing import NDArray

from diffsr_hub.data.spaces import Leaf

if TYPE_CHECKING:
    import gymnasium as gym

StoredEpisode = Sequence[NDArray[Any]]
"""The leaves of the observation, T+1 rows each; then action, reward and terminated, T rows each; as they are stored."""


class Spaces(NamedTuple):
    """The spaces of a dataset as JSON, in the words of Minari (`{"type": "Box", "shape": [3], …}`)."""

    observation: dict[str, Any]
    action: dict[str, Any]


class Dataset(Protocol):
    """One dataset on this machine. Nothing but `episodes` reads its data, and `sha256`, which reads its bytes."""

    @property
    def id(self) -> str:
        """What it is called, also in errors."""

    @property
    def format(self) -> str:
        """What its kind is called in the cache."""

    @property
    def num_episodes(self) -> int:
        """How many `episodes` gives."""

    @property
    def spaces(self) -> Spaces:
        """Of observations and actions.

        Raises:
            UserError: its description of them cannot be read.
        """

    def episodes(self, leaves: Sequence[Leaf], action: "gym.Space[Any]") -> Iterator[StoredEpisode]:
        """All episodes in order, with these leaves of the observation space, and this action space.

        Raises:
            UserError: the data cannot be read.
        """

    def fingerprint(self) -> dict[str, Any]:
        """JSON that tells, without reading the data, that it is where and what it was."""

    def sha256(self) -> str:
        """Hash of the stored data.

        Raises:
            UserError: a file cannot be read.
        """

    def provenance(self) -> dict[str, Any]:
        """What an encoder remembers of it, JSON: `id, namespace, version, source, env_spec` at least."""
