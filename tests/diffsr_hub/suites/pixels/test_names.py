import pytest

from diffsr_hub.suites.pixels.names import VIEWS, is_pixels, pixels_id, scene


@pytest.mark.parametrize(
    ("env_id", "seen", "place"),
    [
        ("HalfCheetah-v5", "diffsr/HalfCheetah-pixels-v0", "HalfCheetah"),
        ("diffsr/Walker2d-speed1-v0", "diffsr/Walker2d-speed1-pixels-v0", "Walker2d"),
        ("metaworld/door-open-v3", "metaworld/door-open-pixels-v3", "metaworld"),
    ],
)
def test_an_id_says_what_is_seen_and_that_it_is_seen(env_id: str, seen: str, place: str) -> None:
    assert pixels_id(env_id) == seen
    assert is_pixels(seen) and not is_pixels(env_id)
    assert scene(env_id) == place and VIEWS[place].scene == place


def test_no_two_scenes_look_alike() -> None:
    assert len({view.fingerprint() for view in VIEWS.values()}) == len(VIEWS)
