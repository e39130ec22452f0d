import copy

import pytest
from PIL import Image

from diffsr_hub.diagnostics.figure import draw


def spectrum(size: int) -> dict:
    return {"singular_values": [0.5**k for k in range(size)], "effective_rank": 3.0}


@pytest.fixture
def report() -> dict:
    inputs = {"psi": 0.9, "random_psi": -5.0, "raw": 0.998}
    levels = {
        "encoder": [0.2, 0.01],
        "linear_dynamics": [0.4, 0.02],
        "without_state_action": [0.9, 0.1],
        "random_encoder": [2.0, 2.0],
        "constant": [1.0, 1.0],
    }
    return {
        "seed": 0,
        "discount": 0.99,
        "transitions": {"train": 100, "validation": 50},
        "episodes": {"train": 10, "validation": 5},
        "loss": {"per_level": levels, "mean": {name: sum(values) / 2 for name, values in levels.items()}},
        "probes": {target: inputs for target in ("reward", "next_obs", "change", "return", "return_fourier")},
        "spectrum": {"psi": spectrum(8), "random_psi": spectrum(8), "raw": spectrum(4)},
        "samples": {"rmse": [0.1, 0.2], "spread": [0.1, 0.3], "spread_over_rmse": [1.0, 1.5]},
    }


def test_the_picture_is_whole_and_the_only_file(report, tmp_path):
    file = tmp_path / "diagnostics.png"
    draw(report, file, "What an encoder knows")
    assert [path.name for path in tmp_path.iterdir()] == ["diagnostics.png"]
    with Image.open(file) as image:
        assert image.size == (1650, 1125)
        assert len(image.convert("RGB").getcolors(maxcolors=1_000_000)) > 100


def test_the_same_report_gives_the_same_bytes(report, tmp_path):
    for name in ("one.png", "other.png"):
        draw(copy.deepcopy(report), tmp_path / name, "title")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "other.png").read_bytes()


def test_a_state_that_never_moves_and_any_title_can_be_drawn(report, tmp_path):
    report["samples"] = {"rmse": [], "spread": [], "spread_over_rmse": []}
    draw(report, tmp_path / "x.png", "$two^\nlines")


def test_a_report_with_a_hole_leaves_the_old_picture(report, tmp_path):
    file = tmp_path / "diagnostics.png"
    file.write_bytes(b"old")
    del report["samples"]
    with pytest.raises(KeyError):
        draw(report, file, "title")
    assert file.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1
