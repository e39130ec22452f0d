"""Everything that a pretraining run can be told."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from diffsr_hub.checks import at_least_one, not_negative, positive, require
from diffsr_hub.model.diffusion import Weighting
from diffsr_hub.model.encoder_config import Architecture


@dataclass(frozen=True)
class PretrainConfig(Architecture):
    """One run of Algorithm 1; the defaults are the published setting."""

    dataset: str = "mujoco/hopper"
    """Minari dataset ids or namespaces, separated by commas: mujoco/hopper/medium-v0, mujoco/hopper/medium (newest
    version) or mujoco/hopper (all below it). Local ones first, then Minari's remote, then the embedded default."""
    tiers: str = ""
    """Which datasets of a namespace, separated by commas, such as medium,expert; empty for all."""
    download: bool = True
    """Whether Minari's remote may be asked for a dataset that is not on this machine."""
    run_dir: Path | None = None
    """Where everything goes; must not exist. Default: runs/ and the name of the dataset, with a number if taken."""
    resume: Path | None = None
    """A run folder to continue, with its own config.yaml; flags given beside it override that."""
    seed: int = 0
    """Of the weights, the split, the batches and the noise."""

    max_steps: int = 20_000
    """Updates."""
    batch_size: int = 256
    """Transitions per update, over all devices."""
    learning_rate: float = 3e-3
    """Of Adam, after the warm-up."""
    warmup_steps: int = 100
    """Updates over which the learning rate rises from 0."""
    lr_schedule: Literal["cosine", "constant"] = "cosine"
    """Course of the learning rate after the warm-up; cosine falls to 0 at max_steps."""
    gradient_clip: float = 0.0
    """Largest norm of the gradient; 0 for no limit."""
    ema_decay: float = 0.0
    """Decay per update of an exponential moving average of the weights, which is then what is validated and exported;
    0 for none, 0.999 is usual."""
    validation_fraction: float = 0.1
    """Share of the episodes that is held out."""
    validate_every: int = 1_000
    """Updates between two validations."""
    checkpoint_every: int = 1_000
    """Updates between two checkpoints; a multiple of 50."""

    smallest_std: float = 1e-3
    """Smallest standard deviation by which an observation is divided, in its own units: one that hardly varies in the
    data may vary a thousand times as much later. One that does not vary at all is divided by 1."""
    weighting: Weighting = "epsilon"
    """Weight of the levels: epsilon weighs all alike, paper divides by β as Algorithm 1 is printed."""
    reward_coef: float = 0.0
    """Weight of the prediction of the reward from ψ; 0 learns from the dynamics alone."""

    accelerator: str = "auto"
    """Lightning's accelerator: auto, cpu, gpu."""
    devices: int = 1
    """Processes per node; batch_size is divided among all of them."""
    num_nodes: int = 1
    """Nodes, under torchrun or Slurm."""
    threads: int = 1
    """Torch threads per process; these layers are small, and more threads are often slower."""
    progress: bool = True
    """Whether to show the progress bar."""

    def __post_init__(self) -> None:
        """Refuse settings that no run can have."""
        super().__post_init__()
        at_least_one(self, "max_steps", "batch_size", "validate_every", "checkpoint_every")
        at_least_one(self, "devices", "num_nodes", "threads")
        not_negative(self, "warmup_steps", "gradient_clip", "reward_coef", "seed", "smallest_std")
        positive(self, "learning_rate")
        require(self.seed < 2**32, f"seed must be below 2**32, got {self.seed}")
        require(0 <= self.ema_decay < 1, f"ema_decay must be in [0, 1), got {self.ema_decay}")
        require(
            0 < self.validation_fraction < 1, f"validation_fraction must be in (0, 1), got {self.validation_fraction}"
        )
        require(
            self.checkpoint_every % 50 == 0, f"checkpoint_every must be a multiple of 50, got {self.checkpoint_every}"
        )
        world = self.devices * self.num_nodes
        require(self.batch_size % world == 0, f"batch_size {self.batch_size} is not divisible by {world} processes")
        require(bool(self.datasets), "dataset names nothing; write for example mujoco/hopper")

    @property
    def datasets(self) -> tuple[str, ...]:
        """The ids and namespaces of `dataset`."""
        return _split(self.dataset)

    @property
    def run_name(self) -> str:
        """Such as `hopper`."""
        return self.datasets[0].removeprefix("mujoco/").replace("/", "-")

    @property
    def tier_names(self) -> tuple[str, ...]:
        """The names in `tiers`."""
        return _split(self.tiers)


def _split(words: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in words.split(",") if word.strip())
