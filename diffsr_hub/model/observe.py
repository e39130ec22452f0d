"""How a raw observation becomes the vector that ψ reads and that the diffusion predicts; owned by the encoder.

An `observe` module maps raw observations to `[..., out_dim]`, which the encoder then standardises by its `obs_mean` and
`obs_std`, of the same size. The standardised vector is the input of ψ and the target of the diffusion. ψ, ν, the score,
the sampler and the diagnostics know its size, `out_dim`, and not what an observation was.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from diffsr_hub.errors import UserError

_SLOPE = 0.1  # of the leaky rectifiers
_CONTRAST = 4 / 255  # pixels of scenes with a steady background vary by about a quarter of their range


class Numbers(nn.Module):
    """Observations that are vectors of numbers already: the identity, without a parameter.

    Args:
        obs_dim: Size of an observation.
    """

    def __init__(self, obs_dim: int) -> None:
        super().__init__()
        self.out_dim = obs_dim

    def forward(self, obs: Tensor) -> Tensor:
        """Map `[..., obs_dim]` to `[..., out_dim]`, which are the same here."""
        return obs


class Images(nn.Module):
    """Observations that are uint8 images, or stacks of them: three convolutions and one linear layer.

    A mean image, which is set from data, is subtracted first. Frames of a stack become channels.

    Args:
        shape: Of an observation: height, width and channels, with the number of frames before them if it is a stack.
        out_dim: Size of the vector.
    """

    mean_image: Tensor
    """`[channels, height, width]`, from 0 to 255"""

    def __init__(self, shape: Sequence[int], out_dim: int) -> None:
        super().__init__()
        self.shape, self.out_dim = tuple(shape), out_dim
        *frames, height, width, channels = self.shape
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels * (frames or [1])[0], 32, 8, 4, 2),
            nn.LeakyReLU(_SLOPE),
            nn.Conv2d(32, 64, 4, 2, 1),
            nn.LeakyReLU(_SLOPE),
            nn.Conv2d(64, 64, 3, 1, 1),
            nn.LeakyReLU(_SLOPE),
        )
        places = (((height - 4) // 4 + 1) // 2) * (((width - 4) // 4 + 1) // 2)
        self.linear = nn.Linear(64 * places, out_dim)
        self.register_buffer("mean_image", torch.full((channels, height, width), 127.5))

    def forward(self, obs: Tensor) -> Tensor:
        """Map `[..., *shape]`, uint8, to `[..., out_dim]`.

        Raises:
            UserError: They are of another size, other channels or another type.
        """
        lead = obs.dim() - len(self.shape)
        if obs.dtype != torch.uint8 or tuple(obs.shape[max(lead, 0) :]) != self.shape:
            raise UserError(
                f"this encoder reads uint8 images [..., {', '.join(map(str, self.shape))}], "
                f"got {str(obs.dtype).removeprefix('torch.')} {list(obs.shape)}"
            )
        frames = obs.reshape(-1, *self.shape[-3:]).permute(0, 3, 1, 2)
        centred = (frames.to(self.mean_image.dtype) - self.mean_image) * _CONTRAST
        count = obs[..., 0, 0, 0].numel() if len(self.shape) == 3 else obs[..., 0, 0, 0, 0].numel()
        stacked = centred.reshape(count, -1, *centred.shape[-2:])
        hidden = self.convolutions(stacked.contiguous(memory_format=torch.channels_last))
        return self.linear(hidden.flatten(1)).unflatten(0, obs.shape[:lead]) if lead else self.linear(hidden.flatten())
