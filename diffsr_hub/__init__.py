"""Pretrained Diffusion Spectral Representations for reinforcement learning."""

from diffsr_hub.errors import UserError
from diffsr_hub.model.encoder import DiffSR
from diffsr_hub.saved.kinds import from_pretrained
from diffsr_hub.transitions import Transitions

__all__ = ["DiffSR", "Transitions", "UserError", "__version__", "from_pretrained"]
__version__ = "0.1.0"
