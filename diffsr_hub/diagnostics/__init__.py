"""What an encoder knows about held-out episodes: loss per level, probes, spectrum, samples; as JSON and picture."""

from diffsr_hub.diagnostics.figure import draw
from diffsr_hub.diagnostics.report import diagnose, random_encoder, residual_table

__all__ = ["diagnose", "draw", "random_encoder", "residual_table"]
