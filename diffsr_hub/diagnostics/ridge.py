"""Probes: ridge regression with its strength picked on training data, and the R² of what it predicts elsewhere."""

from typing import NamedTuple

import torch
from torch import Tensor

from diffsr_hub.model.features import RandomFourierFeatures

STRENGTHS = [10.0**k for k in range(-8, 3)]
"""Candidates for λ; features and targets have unit variance."""
BANDWIDTHS = (0.25, 0.5, 1.0)
"""Candidates for the bandwidth of Fourier features, in units of √(2d): how far apart standardised inputs are."""
_FITTED = 0.8  # of the training rows; the others pick λ and the bandwidth
_ROWS = 1024  # standardised in float64 at once: what stays in the processor's cache

Pairs = tuple[Tensor, Tensor]
"""Features `[N, d]` and targets `[N, o]`."""


class Fit(NamedTuple):
    """A linear prediction of standardised targets from features."""

    weight: Tensor
    """`[d, o]`, float64, on standardised features"""
    features: "Standard"
    targets: "Standard"
    pick_error: float
    """Mean squared error on the rows that picked λ."""

    def r2(self, pairs: Pairs) -> float:
        """R² on other data; see `r2`."""
        return r2(self.targets(pairs[1]), self.features(pairs[0]) @ self.weight)


class Standard:
    """(x − mean) / std of some data, in float64; the deviation is 1 where a column does not vary."""

    def __init__(self, x: Tensor) -> None:
        self.mean = x.mean(0).double()
        std = x.std(0, correction=0).double()
        self.std = torch.where(std > 1e-6 * self.mean.abs().clamp(min=1e-6), std, 1.0)

    def __call__(self, x: Tensor) -> Tensor:
        """Standardise other data likewise, `[..., d]`."""
        return (x.double() - self.mean) / self.std


class _Moments(NamedTuple):
    """Sums over rows of x xᵀ, x yᵀ and y², and their number: all that ridge regression needs to know."""

    gram: Tensor
    cross: Tensor
    square: Tensor
    rows: Tensor

    def error(self, weight: Tensor) -> float:
        """Mean squared error of the prediction of y by x · weight."""
        total = self.square - 2 * (weight * self.cross).sum() + (weight * (self.gram @ weight)).sum()
        return float(total / (self.rows * weight.shape[1]))


def fit_ridge(train: Pairs) -> Fit:
    """Fit targets linearly in standardised features, with the λ that predicts the last fifth of the rows best.

    The rows must be grouped by episode, so that this fifth holds other episodes than the rest: neighbouring transitions
    are nearly copies. All rows are fitted in the end.
    """
    features, targets = Standard(train[0]), Standard(train[1])
    cut = max(1, int(_FITTED * len(train[0])))
    fitted = _moments((train[0][:cut], train[1][:cut]), features, targets)
    rest = _moments((train[0][cut:], train[1][cut:]), features, targets)
    picking = rest if cut < len(train[0]) else fitted
    error, strength = min(
        (picking.error(weight), strength) for weight, strength in zip(_ridge(fitted), STRENGTHS, strict=True)
    )
    together = _Moments(*(one + other for one, other in zip(fitted, rest, strict=True)))
    return Fit(_ridge(together)[STRENGTHS.index(strength)], features, targets, error)


def ridge_probe(train: Pairs, validation: Pairs) -> float:
    """R² of the targets on validation rows from a ridge regression on training rows."""
    return fit_ridge(train).r2(validation)


def fourier_probe(train: Pairs, validation: Pairs, *, num_frequencies: int, seed: int) -> float:
    """`ridge_probe` on random Fourier features of the standardised inputs, with the bandwidth that picks best."""
    inputs, size = Standard(train[0]), train[0].shape[1]

    def phi(x: Tensor, bandwidth: float) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        width = bandwidth * (2 * size) ** 0.5
        features = RandomFourierFeatures(size, num_frequencies, bandwidth=width, generator=generator)
        return features.forward(inputs(x).float())

    fits = [fit_ridge((phi(train[0], bandwidth), train[1])) for bandwidth in BANDWIDTHS]
    best = min(range(len(fits)), key=lambda i: fits[i].pick_error)
    return fits[best].r2((phi(validation[0], BANDWIDTHS[best]), validation[1]))


def r2(target: Tensor, prediction: Tensor) -> float:
    """Share of the variance explained, all dimensions together: 1 − Σ error² / Σ (target − mean)².

    A target that does not vary scores 1 if it is predicted and 0 if not, as in scikit-learn.

    Args:
        target: `[N, o]`, in units that make its dimensions comparable.
        prediction: `[N, o]`
    """
    error = float((target - prediction).square().sum())
    total = float((target - target.mean(0)).square().sum())
    if total <= 1e-12 * target.numel():
        return float(error <= 1e-12 * target.numel())
    return 1 - error / total


def _moments(pairs: Pairs, features: Standard, targets: Standard) -> _Moments:
    """Of standardised rows, a few at a time."""
    d, o = pairs[0].shape[1], pairs[1].shape[1]
    gram, cross = torch.zeros(d, d, dtype=torch.float64), torch.zeros(d, o, dtype=torch.float64)
    square = torch.zeros((), dtype=torch.float64)
    for x_rows, y_rows in zip(torch.split(pairs[0], _ROWS), torch.split(pairs[1], _ROWS), strict=True):
        x, y = features(x_rows), targets(y_rows)
        gram.addmm_(x.T, x)
        cross.addmm_(x.T, y)
        square += y.square().sum()
    return _Moments(gram, cross, square, torch.tensor(float(len(pairs[0]))))


def _ridge(moments: _Moments) -> list[Tensor]:
    """Weights `[d, o]` for every candidate strength, from one eigendecomposition."""
    values, vectors = torch.linalg.eigh(moments.gram / moments.rows)
    rotated = vectors.T @ moments.cross / moments.rows
    return [vectors @ (rotated / (values.clamp(min=0.0) + strength).unsqueeze(-1)) for strength in STRENGTHS]
