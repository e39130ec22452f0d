"""An encoder of images: the same contract as of numbers."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from diffsr_hub import DiffSR, Transitions
from diffsr_hub.model.observe import Images
from diffsr_hub.suites.pixels.view import View
from tests.refusal import refusal

SMALL = {"feature_dim": 6, "psi_hidden": (8,), "nu_hidden": (8,), "num_levels": 5, "num_frequencies": 4}
STACK, SINGLE, GREY = (3, 32, 24, 3), (16, 16, 3), (16, 24, 1)
VIEW = View("Robot", size=16)


def images(*shape: int) -> torch.Tensor:
    return torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", [STACK, SINGLE, GREY], ids=str)
@pytest.mark.parametrize("lead", [(), (5,), (2, 3)], ids=str)
def test_leading_shapes_are_free(shape: tuple[int, ...], lead: tuple[int, ...]) -> None:
    observe = Images(shape, 7).eval()
    obs = images(6, *shape)
    count = int(np.prod(lead))
    found = observe(obs[:count].reshape(*lead, *shape))
    assert found.shape == (*lead, 7)
    expected = torch.stack([observe(each) for each in obs[:count]]).reshape(*lead, 7)
    torch.testing.assert_close(found, expected)


def test_every_frame_place_and_colour_of_a_stack_counts() -> None:
    observe = Images(STACK, 16).double()
    obs = images(*STACK)
    for place in ((0, 4, 4, 0), (1, 20, 12, 1), (2, 30, 20, 2)):
        other = obs.clone()
        other[place] = 255 - other[place]
        assert not torch.allclose(observe(other), observe(obs), atol=1e-7)


def test_the_mean_image_is_the_origin() -> None:
    observe = Images(STACK, 4)
    mean = images(32, 24, 3)
    observe.mean_image.copy_(mean.permute(2, 0, 1))
    dark = torch.zeros(STACK[1:])
    torch.testing.assert_close(observe(mean.expand(STACK)), _at_zero(observe))
    assert not torch.allclose(observe(dark.to(torch.uint8).expand(STACK)), _at_zero(observe))


def _at_zero(observe: Images) -> torch.Tensor:
    hidden = observe.convolutions(torch.zeros(1, 9, 32, 24))
    return torch.as_tensor(observe.linear(hidden.flatten()))


@pytest.mark.parametrize(
    "wrong",
    [
        torch.zeros(2, 84, 84, 3, dtype=torch.uint8),
        torch.zeros(2, 3, 16, 16, dtype=torch.uint8),
        torch.zeros(2, 16, 16, dtype=torch.uint8),
        torch.zeros(2, 16, 16, 1, dtype=torch.uint8),
        torch.zeros(2, 16, 16, 3),
        torch.zeros(16, 3, dtype=torch.uint8),
    ],
    ids=["size", "channels first", "no channels", "grey", "float", "too few axes"],
)
def test_other_images_are_refused_in_one_line(wrong: torch.Tensor) -> None:
    message = refusal(lambda: Images(SINGLE, 4)(wrong))
    assert message.startswith("this encoder reads uint8 images [..., 16, 16, 3], got ")


def test_an_encoder_of_images_does_all_that_one_of_numbers_does(tmp_path: Path) -> None:
    model = DiffSR(7, 2, obs_shape=STACK, view=VIEW.fingerprint(), predict_reward=True, **SMALL).eval()
    obs, action, level = images(4, *STACK), torch.rand(4, 2), torch.arange(4)
    batch = Transitions(obs, action, torch.zeros(4), obs.flip(0), level > 3)
    assert model.psi(obs, action).shape == (4, 6) and model.features(obs, action).shape == (4, 8)
    assert model.energy(obs, action, obs, level).shape == model.predict_reward(obs, action).shape == (4,)
    assert model.denoising_residual(batch, level, torch.randn(4, 7)).shape == (4, 7)
    assert model.sample_next_obs(obs, action).shape == (4, 7)
    model.save_pretrained(tmp_path)
    again = DiffSR.from_pretrained(tmp_path)
    assert torch.equal(again.psi(obs, action), model.psi(obs, action))
    assert again.arguments == model.arguments and again.arguments["obs_shape"] == [*STACK]


def test_an_encoder_of_numbers_says_nothing_of_images() -> None:
    assert not {"obs_shape", "view"} & DiffSR(3, 2).arguments.keys()


@pytest.mark.parametrize(
    "shape",
    [
        (3, 64, 64),
        (64, 64, 2),
        (7, 64, 3),
        (64, 5000, 3),
        (0, 64, 64, 3),
        (64, 64),
        (1, 3, 64, 64, 3),
        "64",
        (64.0, 64, 3),
    ],
    ids=str,
)
def test_shapes_that_no_images_have_are_refused(shape: Any) -> None:
    assert "obs_shape must be (height, width, channels)" in refusal(lambda: DiffSR(7, 2, obs_shape=shape))


def test_fingerprints_of_other_characters_are_refused() -> None:
    assert "view must be a fingerprint" in refusal(lambda: DiffSR(7, 2, obs_shape=SINGLE, view="\x1b[31m"))


def space(*shape: int, dtype: Any = np.uint8) -> gym.Space[Any]:
    return gym.spaces.Box(0, 255, shape, dtype)


def test_an_environment_fits_if_it_shows_the_same_images_seen_alike(tmp_path: Path) -> None:
    DiffSR(7, 2, obs_shape=SINGLE, view=VIEW.fingerprint(), **SMALL).save_pretrained(tmp_path)
    actions = gym.spaces.Box(-1, 1, (2,))

    def check(observations: gym.Space[Any], view: View | None) -> None:
        env = SimpleNamespace(observation_space=observations, action_space=actions)
        DiffSR.from_pretrained(tmp_path, env=env if view is None else SimpleNamespace(**vars(env), view=view))

    check(space(*SINGLE), VIEW)
    check(space(*SINGLE), None)  # an environment of others does not say
    for other in (space(84, 84, 3), space(3, 16, 16), space(16, 16), space(*SINGLE, dtype=np.float32), space(768)):
        message = refusal(lambda other=other: check(other, None))  # type: ignore[misc]
        assert "the model's are uint8 images of shape (16, 16, 3)" in message
    message = refusal(lambda: check(space(*SINGLE), replace(VIEW, samples=4)))
    assert f"seen otherwise (view {replace(VIEW, samples=4).fingerprint()})" in message
    assert VIEW.fingerprint() in message
