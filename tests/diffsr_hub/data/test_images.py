"""Image observations: stored compressed or not, kept as uint8, read as stacks."""

import io
import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import h5py
import numpy as np
import pytest
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from PIL import Image

from diffsr_hub.data import load
from diffsr_hub.data.frames import FrameFormat, unpack
from diffsr_hub.data.images import Stack, decode, holds_images, image_shape, is_image
from diffsr_hub.data.minari.source import open_source
from diffsr_hub.data.spaces import leaves
from tests.refusal import refusal

COLOUR, GREY = (40, 32, 3), (40, 32)
LENGTHS = (5, 1, 7)


def pictures(episode: int, count: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Of one colour each, which says the episode and the step, and which JPEG keeps."""
    values = 10 * np.arange(count) + 80 * episode
    return np.broadcast_to(values.reshape(-1, *(1 for _ in shape)), (count, *shape)).astype(np.uint8)


@pytest.fixture
def photographed(make: Any) -> Any:
    """Write a dataset of pictures."""

    def write(shape: tuple[int, ...] = COLOUR, **options: Any) -> str:
        def photograph(episode: int, columns: dict[str, Any]) -> None:
            columns["observations"] = pictures(episode, len(columns["observations"]), shape)

        space = spaces.Box(0, 255, shape, np.uint8)
        found: str = make(lengths=LENGTHS, change=photograph, observation_space=space, **options)
        return found

    return write


def colours(images: torch.Tensor) -> list[Any]:
    """The colour of pictures `[..., height, width, channels]`."""
    return images.float().mean((-3, -2, -1)).round().tolist()


@pytest.mark.parametrize("data_format", ["hdf5", "arrow", "parquet"])
@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("shape", [COLOUR, GREY, (7, 7, 3)], ids=str)
def test_every_frame_is_kept_once_as_uint8(
    photographed: Any, shape: tuple[int, ...], compressed: bool, data_format: str
) -> None:
    data = load([photographed(shape, data_format=data_format, jpeg_encoding=compressed)], stack=Stack())
    height, width, *channels = shape
    assert data.obs_shape == (height, width, *(channels or [1]))
    batch = data.transitions(torch.arange(data.num_transitions))
    assert batch.obs.dtype == batch.next_obs.dtype == torch.uint8 and batch.action.dtype == torch.float32
    steps = [(episode, step) for episode, length in enumerate(LENGTHS) for step in range(length)]
    assert colours(batch.obs) == pytest.approx([80 * e + 10 * s for e, s in steps], abs=2)
    assert colours(batch.next_obs) == pytest.approx([80 * e + 10 * (s + 1) for e, s in steps], abs=2)


def test_frames_are_those_that_minari_reads(photographed: Any) -> None:
    import minari

    identifier = photographed()
    theirs = [episode.observations for episode in minari.load_dataset(identifier).iterate_episodes()]
    ours = load([identifier], stack=Stack())
    for number, images in enumerate(theirs):
        episode = ours.episode(number)
        assert torch.equal(torch.cat([episode.obs, episode.next_obs[-1:]]), torch.from_numpy(images))


@pytest.mark.parametrize("stack", [Stack(3), Stack(2, spacing=3), Stack(4, spacing=2)], ids=str)
def test_stacks_never_cross_an_episode(photographed: Any, stack: Stack) -> None:
    data = load([photographed(jpeg_encoding=False)], stack=stack)
    assert data.obs_shape == (stack.frames, *COLOUR)
    index = torch.randperm(data.num_transitions)
    batch = data.transitions(index)
    steps = [(episode, step) for episode, length in enumerate(LENGTHS) for step in range(length)]
    for images, later in ((batch.obs, 0), (batch.next_obs, 1)):
        expected = [
            [80 * e + 10 * max(s + later - age * stack.spacing, 0) for age in reversed(range(stack.frames))]
            for e, s in (steps[i] for i in index.tolist())
        ]
        assert colours(images) == expected


def test_a_stack_of_several_datasets_is_that_of_each(photographed: Any) -> None:
    names = [photographed(identifier=f"test/number{i}-v0", jpeg_encoding=False) for i in range(2)]
    both, one = load(names, stack=Stack(3)), load(names[:1], stack=Stack(3))
    count = one.num_transitions
    whole = both.transitions(torch.arange(2 * count)).obs
    assert torch.equal(whole[:count], whole[count:])
    assert torch.equal(whole[:count], one.transitions(torch.arange(count)).obs)


RESIDENT = Path("/proc/self/statm")


@pytest.mark.skipif(not RESIDENT.exists(), reason="the system does not tell what memory a process holds")
def test_a_batch_out_of_a_million_frames_touches_its_own_rows_only(tmp_path: Path) -> None:
    file = tmp_path / "frames.npy"
    shape = (1_000_000, 64, 64, 3)  # 12 GB, of which the file holds nothing but its length
    with file.open("wb") as opened:
        np.lib.format.write_array_header_1_0(opened, {"descr": "|u1", "fortran_order": False, "shape": shape})
        opened.truncate(opened.tell() + int(np.prod(shape)))
    frames = torch.from_numpy(np.load(file, mmap_mode="c"))
    row = torch.randint(len(frames), (64,), generator=torch.Generator().manual_seed(0))

    def megabytes() -> float:
        return int(RESIDENT.read_text().split()[1]) * 4096 / 1e6

    before = megabytes()
    stacked = Stack(3).gather(frames, row, torch.zeros_like(row))
    assert stacked.shape == (64, 3, *shape[1:]) and stacked.dtype == torch.uint8
    assert megabytes() - before < 60


def test_images_are_refused_where_numbers_are_needed_before_they_are_read(
    photographed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    identifier = photographed()
    monkeypatch.setattr("diffsr_hub.data.loading.cached", None)
    assert "dataset test/coded-v0 has observations that are images" in refusal(lambda: load([identifier]))


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (spaces.Box(0, 255, (3, 64, 48), np.uint8), r"channels first, and (64, 48, 3) is needed"),
        (spaces.Box(0, 1, (64, 64, 3), np.float32), "its images hold float32, and uint8 from 0 to 255 is needed"),
        (spaces.Box(0, 255, (3, 64, 64, 3), np.uint8), "stacks are made when images are read"),
        (spaces.Box(0, 255, (64, 64, 7), np.uint8), "with 1, 3 or 4 channels"),
    ],
    ids=str,
)
def test_other_images_are_refused(space: Any, message: str) -> None:
    assert is_image(space) and message in refusal(lambda: image_shape(space))


BOTH = spaces.Dict(
    {"eye": spaces.Box(0, 255, COLOUR, np.uint8), "joints": spaces.Box(-9, 9, (3,)), "on": spaces.Discrete(2)}
)


@pytest.mark.parametrize("data_format", ["hdf5", "arrow"])
@pytest.mark.parametrize("stack", [Stack(), Stack(3)], ids=str)
def test_an_image_and_numbers_both_go_in(make: Any, stack: Stack, data_format: str) -> None:
    def photograph(episode: int, columns: dict[str, Any]) -> None:
        count = len(columns["observations"])
        columns["observations"] = {
            "eye": pictures(episode, count, COLOUR),
            "joints": columns["observations"].astype(np.float32),
            "on": np.arange(count) % 2,
        }

    identifier = make(
        lengths=LENGTHS, change=photograph, observation_space=BOTH, jpeg_encoding=False, data_format=data_format
    )
    data = load([identifier], stack=stack)
    assert data.image_shape == COLOUR
    images, numbers = unpack(data.transitions(torch.arange(data.num_transitions)).next_obs, COLOUR)
    newest = (images, numbers) if stack.frames == 1 else (images[:, -1], numbers[:, -1])
    steps = [(episode, step + 1) for episode, length in enumerate(LENGTHS) for step in range(length)]
    assert colours(newest[0]) == [80 * e + 10 * s for e, s in steps]
    assert newest[1].tolist() == [[e, s, 0, (s + 1) % 2, s % 2] for e, s in steps]
    assert images.dtype == torch.uint8 and numbers.dtype == torch.float32


def test_two_images_are_refused(make: Any) -> None:
    eye = spaces.Box(0, 255, COLOUR, np.uint8)
    identifier = make(lengths=[], observation_space=spaces.Dict({"left": eye, "right": eye}))
    assert "is empty" in refusal(lambda: load([identifier], stack=Stack()))
    assert "2 images each, and one is supported" in refusal(
        lambda: FrameFormat(leaves(spaces.Dict({"left": eye, "right": eye})))
    )


def test_a_corrupt_frame_is_named(photographed: Any) -> None:
    identifier = photographed()
    with h5py.File(open_source(identifier).folder / "main_data.hdf5", "r+") as file:
        column = file["episode_2/observations"]
        column[4] = np.zeros_like(column[4])
    message = refusal(lambda: load([identifier], stack=Stack()))
    assert "episode 2, column observations holds an image that cannot be read, number 4" in message


def test_a_frame_of_another_size_is_named_before_it_is_decoded(photographed: Any) -> None:
    identifier = photographed()
    buffer = io.BytesIO()
    Image.new("RGB", (32, 41)).save(buffer, format="JPEG")
    stored = np.frombuffer(buffer.getvalue(), np.uint8)
    with h5py.File(open_source(identifier).folder / "main_data.hdf5", "r+") as file:
        del file["episode_1/observations"]
        file["episode_1"].create_dataset("observations", data=np.stack([stored, stored]))
    message = refusal(lambda: load([identifier], stack=Stack()))
    assert "episode 1" in message and "it is 41 × 32, not 40 × 32" in message


def test_a_grey_image_where_colours_are_said_is_refused() -> None:
    buffer = io.BytesIO()
    Image.new("L", (32, 40)).save(buffer, format="JPEG")
    with pytest.raises(ValueError, match=r"number 0 \(it is of shape \(40, 32\), not \(40, 32, 3\)"):
        decode([buffer.getvalue()], COLOUR)
    assert decode([buffer.getvalue()], GREY).shape == (1, *GREY)


def test_other_formats_are_not_even_tried() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 40)).save(buffer, format="TIFF")
    with pytest.raises(ValueError, match="cannot be read, number 0"):
        decode([buffer.getvalue()], COLOUR)


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(-1, 1, (4,)),
        spaces.Box(0, 255, (31, 31), np.uint8),
        spaces.Box(0, 1, (50, 50), np.float32),
        spaces.Dict({"a": spaces.Discrete(3), "b": spaces.Tuple([spaces.Box(0, 255, COLOUR, np.uint8)])}),
        spaces.Box(0, 255, GREY, np.uint8),
    ],
    ids=str,
)
def test_the_json_of_a_space_tells_images_as_the_space_does(space: gym.Space[Any]) -> None:
    from minari.serialization import serialize_space

    assert holds_images(json.loads(serialize_space(space))) == any(is_image(leaf.space) for leaf in leaves(space))


def test_a_stack_has_at_least_one_frame() -> None:
    assert "frames must be at least 1" in refusal(lambda: Stack(0))
    assert "spacing must be at least 1" in refusal(lambda: Stack(2, 0))
