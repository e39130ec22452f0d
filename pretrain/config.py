"""Everything that a pretraining run can be told."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from diffsr_hub.errors import UserError


@dataclass(frozen=True)
class PretrainConfig:
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

    feature_dim: int = 128
    """Size of ψ and ν."""
    psi_hidden: tuple[int, ...] = (256, 256)
    """Widths of ψ's hidden layers."""
    nu_hidden: tuple[int, ...] = (256,)
    """Widths of the hidden layers of ν, or of ζ with score=matrix."""
    psi_network: Literal["mlp", "residual"] = "mlp"
    """mlp: leaky-ReLU layers beside a linear path; residual: the authors' blocks (LayerNorm, linear, Mish)."""
    score: Literal["gradient", "matrix"] = "gradient"
    """gradient: the score as gradient of ν; matrix: a matrix-valued network ζ, as the authors did."""
    smallest_std: float = 1e-3
    """Smallest standard deviation by which an observation is divided, in its own units: one that hardly varies in the
    data may vary a thousand times as much later. One that does not vary at all is divided by 1."""
    num_levels: int = 50
    """Number K of noise levels."""
    schedule: Literal["vp", "linear", "cosine"] = "vp"
    """Noise schedule; vp is variance-preserving."""
    num_frequencies: int = 256
    """Random Fourier frequencies of the exported features."""
    weighting: Literal["epsilon", "paper"] = "epsilon"
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
        at_least_one = (
            "max_steps",
            "batch_size",
            "validate_every",
            "checkpoint_every",
            "devices",
            "num_nodes",
            "threads",
            "feature_dim",
            "num_levels",
            "num_frequencies",
        )
        for name in at_least_one:
            _require(getattr(self, name) >= 1, f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("warmup_steps", "gradient_clip", "reward_coef", "seed", "smallest_std"):
            _require(getattr(self, name) >= 0, f"{name} must not be negative, got {getattr(self, name)}")
        _require(self.seed < 2**32, f"seed must be below 2**32, got {self.seed}")
        for name in ("psi_hidden", "nu_hidden"):
            widths = getattr(self, name)
            _require(bool(widths) and min(widths) >= 1, f"{name} must be widths of at least 1, got {list(widths)}")
        _require(self.learning_rate > 0, f"learning_rate must be positive, got {self.learning_rate}")
        _require(0 <= self.ema_decay < 1, f"ema_decay must be in [0, 1), got {self.ema_decay}")
        _require(
            0 < self.validation_fraction < 1, f"validation_fraction must be in (0, 1), got {self.validation_fraction}"
        )
        _require(
            self.checkpoint_every % 50 == 0, f"checkpoint_every must be a multiple of 50, got {self.checkpoint_every}"
        )
        world = self.devices * self.num_nodes
        _require(self.batch_size % world == 0, f"batch_size {self.batch_size} is not divisible by {world} processes")
        _require(bool(self.datasets), "dataset names nothing; write for example mujoco/hopper")

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


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise UserError(message)
