"""The reverse chain: from noise to data, one call of a denoiser at each level."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from benchmarks.diffusion.levels import Levels

Rule = Literal["ddpm", "ddim", "solver"]
Predict = Callable[[Tensor, int], Tensor]
"""x̂₀ for x_k and k"""
Pin = Callable[[Tensor], Tensor]
"""puts what is known into x"""


def sample(
    levels: Levels,
    predict: Predict,
    shape: tuple[int, ...],
    generator: torch.Generator,
    *,
    rule: Rule = "ddpm",
    temperature: float = 1.0,
    pin: Pin = lambda x: x,
) -> Tensor:
    """Draw data.

    Args:
        levels: Through which the chain goes.
        predict: The denoiser; gradients flow through the chain where they are enabled.
        shape: Of the data, `[B, …]`.
        generator: Source of all noise.
        rule: How a step is made.
        temperature: Factor of the noise, at the start and of every step.
        pin: Called at the start and after every step.
    """

    def noise() -> Tensor:
        return temperature * torch.randn(shape, generator=generator)

    x, before = pin(noise()), None
    for level in range(len(levels), 0, -1):
        clean = predict(x, level)
        if rule == "ddpm":
            x = levels.ddpm(x, level, clean, noise())
        elif rule == "ddim":
            x = levels.ddim(x, level, clean)
        else:
            x = levels.solver(x, level, clean, before)
        x, before = pin(x), clean
    return x
