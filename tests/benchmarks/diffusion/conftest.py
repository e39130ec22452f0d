"""Data of InvertedPendulum-v5, made here and now."""

import pytest
import torch
from torch import Tensor

from benchmarks.diffusion.windows import Data
from diffsr_hub.transitions import Transitions
from finetune.acting.environments import make


@pytest.fixture(scope="session")
def pendulum() -> Data:
    """Thirty episodes of random small actions; every one ends with a fall, but for the last, which is cut."""
    env, generator = make("InvertedPendulum-v5"), torch.Generator().manual_seed(0)
    rows: list[tuple[Tensor, ...]] = []
    lengths = []
    for seed in range(30):
        obs, over, count = env.reset(seed=seed)[0], False, 0
        while not over and not (seed == 29 and count == 5):
            action = torch.rand(1, generator=generator) * 0.4 - 0.2
            following, reward, over, _, _ = env.step(3 * action.numpy())
            rows.append(tuple(torch.as_tensor(v) for v in (obs, action, reward, following, over)))
            obs, count = following, count + 1
        lengths.append(count)
    env.close()
    columns = [torch.stack(column) for column in zip(*rows, strict=True)]
    steps = Transitions(*(column.float() for column in columns[:4]), terminated=columns[4].bool())
    return Data(steps, torch.tensor(lengths), torch.tensor([-3.0]), torch.tensor([3.0]))
