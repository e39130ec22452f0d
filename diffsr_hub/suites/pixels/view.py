"""What a picture shows and how it is drawn, as one object with a fingerprint: another light is another observation."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from diffsr_hub.errors import UserError

_RANGES = (
    ("size", 8, 1024),
    ("samples", 1, 16),
    ("action_repeat", 1, 100),
    ("stack", 1, 100),
    ("spacing", 1, 100),
)
_DRAWING = 1  # raise it whenever the same settings would give other pictures


@dataclass(frozen=True)
class Camera:
    """A camera beside a robot, which moves along the x axis with one of its bodies."""

    body: str
    """the body that is followed"""
    height: float
    """of the point that is looked at, in metres: it does not follow jumps, so that they are seen"""
    distance: float
    """from that point, in metres"""
    azimuth: float = 90.0
    """degrees; 90 looks along the y axis"""
    elevation: float = -12.0
    """degrees; negative looks down"""


@dataclass(frozen=True)
class View:
    """Everything that decides what an observation made of pictures looks like."""

    scene: str
    """what is in front of the camera: a robot, or Meta-World's table"""
    size: int = 64
    """side of a picture in pixels"""
    camera: str | Camera = "track"
    """a camera of the model by its name, or one of ours"""
    samples: int = 1
    """that the colour of a pixel is the mean of, 1 or more: 4 for robots with thin legs"""
    cell: float = 0.02
    """of the grid on which meshes are thinned, in metres"""
    action_repeat: int = 1
    """steps of the environment between two pictures, in all of which the same action acts"""
    stack: int = 3
    """pictures of an observation, the last one the newest"""
    spacing: int = 1
    """how many pictures lie from one of them to the next"""

    def __post_init__(self) -> None:
        """Refuse numbers that mean nothing.

        Raises:
            UserError: One of them is no whole number, or too small or too large.
        """
        for name, lowest, highest in _RANGES:
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
                raise UserError(f"{name} of a view must be a whole number from {lowest} to {highest}, not {value!r}")

    def summary(self) -> dict[str, Any]:
        """All of it as JSON."""
        return {"drawing": _DRAWING} | asdict(self)

    def fingerprint(self) -> str:
        """Sixteen characters that are equal for equal observations of equal states."""
        return hashlib.sha256(json.dumps(self.summary(), sort_keys=True).encode()).hexdigest()[:16]

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """Of one picture: height, width, colours."""
        return (self.size, self.size, 3)
