"""The episodes of a Minari dataset as its files hold them, and what can be wrong with the files said in one line."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from diffsr_hub.data.dataset import StoredEpisode
from diffsr_hub.data.images import decode, is_image
from diffsr_hub.data.minari.source import Source, main_file
from diffsr_hub.data.spaces import Leaf
from diffsr_hub.errors import UserError, on_one_line
from diffsr_hub.files.lfs import check_no_pointer

if TYPE_CHECKING:
    import gymnasium as gym

_STEPS = ("actions", "rewards", "terminations")


def stored_episodes(source: Source, leaves: Sequence[Leaf], action: "gym.Space[Any]") -> Iterator[StoredEpisode]:
    """Read all episodes in the order of their number.

    Args:
        source: the dataset.
        leaves: of its observation space.
        action: its action space.

    Raises:
        UserError: the files cannot be read, or do not hold every episode.
    """
    place = main_file(source.folder) if source.is_hdf5 else source.folder
    try:
        stored = _through_hdf5(source, leaves) if source.is_hdf5 else _through_arrow(source, leaves, action)
        for number, episode in enumerate(stored):
            yield _with_images(episode, leaves, f"dataset {source.id}, episode {number}")
    except PermissionError as error:
        raise UserError(f"dataset {source.id}: no permission to read {source.folder}") from error
    except UserError:
        raise
    except Exception as error:  # h5py and pyarrow raise a dozen types for damaged files
        for file in source.files():
            check_no_pointer(file)
        raise UserError(
            f"dataset {source.id}: {place} cannot be read, it may be damaged "
            f"({type(error).__name__}: {on_one_line(error)}); delete it and download it again"
        ) from error


def _through_hdf5(source: Source, leaves: Sequence[Leaf]) -> Iterator[StoredEpisode]:
    from diffsr_hub.data.minari.hdf5 import read_columns

    observations = ["/".join(["observations", *map(_hdf5_name, leaf.path)]) for leaf in leaves]
    images = {name for name, leaf in zip(observations, leaves, strict=True) if is_image(leaf.space)}
    return read_columns(main_file(source.folder), [*observations, *_STEPS], source.episodes, images)


def _hdf5_name(key: str | int) -> str:
    return f"_index_{key}" if isinstance(key, int) else key


def _through_arrow(source: Source, leaves: Sequence[Leaf], action: "gym.Space[Any]") -> Iterator[StoredEpisode]:
    from diffsr_hub.data.minari.arrow import Column, read_columns

    observations = [Column(("observations", *map(str, leaf.path)), leaf.space.shape or ()) for leaf in leaves]
    columns = [*observations, *(Column((name,), (action.shape or ()) if name == "actions" else ()) for name in _STEPS)]
    read, expected = 0, source.metadata.get("total_steps")
    for values in read_columns(source.folder, source.metadata["data_format"], columns, source.episodes):
        # Minari pads what belongs to steps by one row: the columns of a table are equally long.
        yield [*values[: len(leaves)], *(column[:-1] for column in values[len(leaves) :])]
        read += len(values[-1]) - 1
    if expected not in (None, read):
        raise UserError(
            f"dataset {source.id}: {source.folder} holds {read} steps, and its metadata say {expected}; "
            "files are missing, or an episode does not have one observation more than steps"
        )


def _with_images(episode: StoredEpisode, leaves: Sequence[Leaf], where: str) -> StoredEpisode:
    """The same episode, its images decoded where Minari has compressed them: there, a row is a file, not an image."""
    columns = list(episode)
    for i, leaf in enumerate(leaves):
        shape = leaf.space.shape or ()
        if is_image(leaf.space) and columns[i].ndim < 1 + len(shape):
            try:
                columns[i] = decode(columns[i], shape)
            except ValueError as error:
                raise UserError(f"{where}, column {leaf.name} {error}") from error
    return columns
