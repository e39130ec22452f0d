"""What a fine-tuned encoder says beside ψ and ν, measured anew: it was true of the ψ before."""

import torch

from diffsr_hub.diagnostics.level_loss import mean_squared_residual
from diffsr_hub.model.encoder import DiffSR
from diffsr_hub.transitions import Transitions
from finetune.learning.batch import Batch


@torch.no_grad()
def remeasure(encoder: DiffSR, seen: Batch) -> None:
    """Set the sampler's variances, and the reward's head where there is one, from transitions of the run.

    The head is the least-squares prediction of the reward from ψ, in the units of the encoder's statistics.

    Args:
        encoder: On the CPU; changed in place.
        seen: `[N]` raw transitions, on any device.
    """
    obs, action, reward, next_obs = (column.cpu() for column in seen.columns[:4])
    batch = Transitions(obs, action, reward, next_obs, torch.zeros(len(reward), dtype=torch.bool))
    encoder.unexplained.copy_(mean_squared_residual(encoder, batch, seed=0).float())
    if encoder.reward_head is not None:
        psi = encoder.psi(obs, action).double()
        target = (reward - encoder.reward_mean) / encoder.reward_std
        inputs = torch.cat([psi, torch.ones(len(psi), 1, dtype=psi.dtype)], dim=1)
        # gelsd also takes columns that do not vary or repeat each other.
        solution = torch.linalg.lstsq(inputs, target.double().unsqueeze(1), driver="gelsd").solution.float()
        encoder.reward_head.weight.copy_(solution[:-1].T)
        encoder.reward_head.bias.copy_(solution[-1])
