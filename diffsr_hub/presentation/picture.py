"""Pictures: colours that every colour vision tells apart, and a figure as a file."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

from diffsr_hub.files.atomic import write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLACK, BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = OKABE_ITO = (
    *("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"),
)
"""the palette of Okabe and Ito"""


def write_picture(figure: "Figure", file: Path, *, dpi: int = 150) -> None:
    """Write a figure, all or nothing; the type is that of the file's suffix, and PNG where there is none.

    The same figure gives the same bytes as PNG: the version of matplotlib is not in them.

    Raises:
        ValueError: The suffix names no type of picture.
    """
    kind = file.suffix.removeprefix(".") or "png"
    image = io.BytesIO()
    figure.savefig(image, format=kind, dpi=dpi, metadata={"Software": None} if kind == "png" else None)
    write_bytes(file, image.getvalue())
