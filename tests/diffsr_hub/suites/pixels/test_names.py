import pytest

from diffsr_hub.suites.pixels.names import VIEWS, is_pixels, pixels_id, seen_namespace, split_namespace, view_of
from tests.refusal import refusal


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
    assert view_of(env_id) is VIEWS[place] and VIEWS[place].scene == place


def test_no_two_scenes_look_alike() -> None:
    assert len({view.fingerprint() for view in VIEWS.values()}) == len(VIEWS)


def test_what_has_no_view_is_refused() -> None:
    assert "Swimmer-v5 is not seen through a camera: HalfCheetah, Hopper" in refusal(lambda: view_of("Swimmer-v5"))


@pytest.mark.parametrize("namespace", ["mujoco/hopper", "metaworld/mt50-without-door-open-v3"])
def test_data_that_is_seen_has_a_namespace_of_its_own(namespace: str) -> None:
    assert seen_namespace(namespace, 64) == f"{namespace}/pixels64"
    for size in (0, 64, 84):
        assert split_namespace(seen_namespace(namespace, size)) == (namespace, size)
    for other in ("pixels64", f"{namespace}/pixels", f"{namespace}/pixels064", f"{namespace}/pixels64/more"):
        assert split_namespace(other) == (other, 0)
