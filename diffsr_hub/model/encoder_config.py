"""The arguments of an encoder: their types, defaults, meanings and checks, in the one place that spells them.

`config.json` holds them, `DiffSR` takes them as keywords, and the settings of a pretraining run inherit `Architecture`.
"""

import re
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self, get_args

from diffsr_hub.checks import check_choice, check_size, check_widths
from diffsr_hub.errors import UserError, plain
from diffsr_hub.model.schedule import ScheduleName

_SIDES, _MOST_FRAMES = (8, 1_024), 100
"""of images"""
_VIEW = re.compile(r"[0-9a-zA-Z]{0,64}")
ScoreName = Literal["gradient", "matrix"]
PsiName = Literal["mlp", "residual"]


@dataclass(frozen=True, kw_only=True)
class Spaces:
    """What the data decides."""

    obs_dim: int
    """Size of an observation; of images, of the vector that they become."""
    action_dim: int
    """Size of an action."""
    obs_parts: Mapping[str, int] = field(default_factory=dict)
    """Names and sizes of the parts of nested observations, in order; none where they are one vector."""
    obs_shape: tuple[int, ...] = ()
    """Of uint8 images: height, width and channels, with the number of frames before them where they are stacked."""
    view: str = ""
    """Of images: the fingerprint of how they were seen (`diffsr_hub.suites.pixels.view`); empty if it is not known."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """What a user decides.

    Raises:
        UserError: A size is not a positive integer of reasonable size, or a name is unknown.
    """

    feature_dim: int = 128
    """Size of ψ and ν."""
    psi_hidden: tuple[int, ...] = (256, 256)
    """Widths of ψ's hidden layers."""
    nu_hidden: tuple[int, ...] = (256,)
    """Widths of the hidden layers of ν, or of ζ with score=matrix."""
    psi_network: PsiName = "mlp"
    """mlp: leaky-ReLU layers beside a linear path; residual: the authors' blocks (LayerNorm, linear, Mish)."""
    score: ScoreName = "gradient"
    """gradient: the score as gradient of ν; matrix: a matrix-valued network ζ, as the authors did; it has no ν."""
    num_levels: int = 50
    """Number K of noise levels."""
    schedule: ScheduleName = "vp"
    """Noise schedule; vp is variance-preserving."""
    num_frequencies: int = 256
    """Random Fourier frequencies of the exported features."""

    def __post_init__(self) -> None:
        """Refuse sizes and names that no encoder has, before anything is allocated."""
        for name in ("feature_dim", "num_levels", "num_frequencies"):
            check_size(name, getattr(self, name))
        for name in ("psi_hidden", "nu_hidden"):
            check_widths(name, getattr(self, name))
            object.__setattr__(self, name, tuple(getattr(self, name)))  # JSON has lists
        check_choice("psi_network", self.psi_network, get_args(PsiName))
        check_choice("score", self.score, get_args(ScoreName))
        check_choice("schedule", self.schedule, get_args(ScheduleName))
        if self.psi_network == "residual":
            _check_equal("psi_hidden", self.psi_hidden, "psi_network='residual'")
        if self.score == "matrix":
            _check_equal("nu_hidden", self.nu_hidden, "score='matrix'")

    @property
    def architecture(self) -> dict[str, Any]:
        """The fields of this class alone, by name."""
        return {field.name: getattr(self, field.name) for field in fields(Architecture)}


@dataclass(frozen=True, kw_only=True)
class EncoderConfig(Architecture, Spaces):
    """All arguments of an encoder, in the order of `config.json`.

    Raises:
        UserError: A size is not a positive integer of reasonable size, or a name is unknown.
    """

    predict_reward: bool = False
    """Whether there is a linear head that predicts the reward from ψ."""

    def __post_init__(self) -> None:
        """Refuse what no encoder has."""
        for name in ("obs_dim", "action_dim"):
            check_size(name, getattr(self, name))
        _check_parts(self.obs_parts, self.obs_dim)
        _check_images(self.obs_shape, self.view)
        object.__setattr__(self, "obs_shape", tuple(self.obs_shape))
        super().__post_init__()
        if not isinstance(self.predict_reward, bool):
            raise UserError(f"predict_reward must be true or false, got {reprlib.repr(self.predict_reward)}")

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The arguments in a file.

        Raises:
            UserError: One is missing, unknown or not one that an encoder can have.
        """
        try:
            return cls(**content)
        except TypeError as error:
            raise UserError(f"these are not the arguments of a DiffSR: {plain(error)}") from error

    def as_json(self) -> dict[str, Any]:
        """The arguments as JSON values, by name; without the fields of nested observations and of images for others."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("obs_parts", "obs_shape", "view"):
            if not values[name]:
                del values[name]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _check_parts(parts: object, obs_dim: int) -> None:
    if not isinstance(parts, Mapping) or not all(isinstance(name, str) for name in parts):
        raise UserError(f"obs_parts must be names and sizes, got {reprlib.repr(parts)}")
    sizes = list(parts.values())
    if sizes and (any(type(size) is not int or size < 0 for size in sizes) or sum(sizes) != obs_dim):
        raise UserError(f"obs_parts must be sizes that add up to obs_dim, {obs_dim}, got {reprlib.repr(parts)}")


def _check_images(shape: object, view: object) -> None:
    if not isinstance(shape, list | tuple) or (shape and not _is_image_shape(shape)):
        raise UserError(
            "obs_shape must be (height, width, channels) or (frames, height, width, channels) with sides from "
            f"{_SIDES[0]} to {_SIDES[1]:,} and 1, 3 or 4 channels, got {reprlib.repr(shape)}"
        )
    if not isinstance(view, str) or not _VIEW.fullmatch(view):
        raise UserError(f"view must be a fingerprint of letters and digits, got {reprlib.repr(view)}")


def _is_image_shape(shape: Sequence[object]) -> bool:
    if len(shape) not in (3, 4) or any(type(size) is not int for size in shape):
        return False
    *frames, height, width, channels = (int(str(size)) for size in shape)
    in_range = all(_SIDES[0] <= side <= _SIDES[1] for side in (height, width))
    return in_range and channels in (1, 3, 4) and all(1 <= count <= _MOST_FRAMES for count in frames)


def _check_equal(name: str, widths: tuple[int, ...], choice: str) -> None:
    if len(set(widths)) > 1:
        raise UserError(f"{name} must be equal widths for {choice}, got {reprlib.repr(widths)}")
