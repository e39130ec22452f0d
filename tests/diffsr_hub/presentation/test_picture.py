from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from diffsr_hub.presentation.picture import OKABE_ITO, write_picture


def picture() -> Figure:
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([0, 1])
    return figure


def test_the_same_figure_gives_the_same_bytes_without_a_version(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "no_suffix"):
        write_picture(picture(), tmp_path / name)
    content = (tmp_path / "a.png").read_bytes()
    assert content == (tmp_path / "b.png").read_bytes() == (tmp_path / "no_suffix").read_bytes()
    assert b"atplotlib" not in content


def test_the_suffix_says_the_type_and_dpi_the_size(tmp_path: Path) -> None:
    write_picture(picture(), tmp_path / "a.svg")
    assert "<svg" in (tmp_path / "a.svg").read_text()
    write_picture(picture(), tmp_path / "a.png", dpi=50)
    assert imread(tmp_path / "a.png").shape[:2] == (50, 100)


def test_an_unknown_type_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="xyz"):
        write_picture(picture(), tmp_path / "a.xyz")
    assert not list(tmp_path.iterdir())


def test_no_colour_is_there_twice() -> None:
    assert len(set(OKABE_ITO)) == 7
