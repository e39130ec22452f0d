"""How many directions a representation uses: its singular spectrum and effective rank."""

import torch
from torch import Tensor


def singular_spectrum(features: Tensor) -> Tensor:
    """Singular values of centred features `[N, d]`, largest first, divided by the largest: `[min(N, d)]`, float64."""
    values: Tensor = torch.linalg.svdvals((features - features.mean(0)).double())
    return values / values[0].clamp(min=torch.finfo(values.dtype).tiny)


def effective_rank(spectrum: Tensor) -> float:
    """Exponential of the entropy of the normalised singular values (Roy and Vetterli, 2007); 0 if they are all 0."""
    share = spectrum / spectrum.sum().clamp(min=torch.finfo(spectrum.dtype).tiny)
    return float(torch.special.entr(share).sum().exp()) if spectrum.any() else 0.0
