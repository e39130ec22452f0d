"""Everything that an online run can be told."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from diffsr_hub.errors import UserError
from diffsr_hub.suites.env_ids import registered

SCRATCH = "none"
LARGEST_BATCH = 1_000_000
"""transitions; far more than anybody learns from at once, and less than what cannot be allocated"""


@dataclass(frozen=True)
class AlgorithmConfig:
    """Algorithm 2; the defaults are the published setting."""

    policy: Literal["deterministic", "maximum_entropy"] = "deterministic"
    """deterministic: as TD3, with noise on its actions; maximum_entropy: as SAC."""
    batch_size: int = 128
    """Transitions per update."""
    discount: float = 0.99
    """γ per step."""
    n_step: int = 3
    """Rewards that a TD target adds up before it bootstraps."""
    tau: float = 0.005
    """Share of the newest weights that enters the moving averages at every update."""
    average_policy: bool = False
    """Whether the policy that is evaluated and left is a moving average of the one that learns."""
    learning_rate: float = 1e-3
    """Of Adam, for critics and policy."""
    actor_hidden: tuple[int, ...] = (256, 256)
    """Widths of the policy's hidden layers."""
    critic_frequencies: int = 256
    """Random Fourier frequencies of each critic, which is linear in their sines and cosines; they are trained."""
    bandwidth: float = 1.0
    """Standard deviation of the angles ωᵀψ at the start, in radians."""
    policy_delay: int = 2
    """Updates of the critics per update of the policy."""
    exploration_noise: float = 0.1
    """Standard deviation of the noise of a deterministic policy's actions, which are in [-1, 1]."""
    representation_rate: float = 3e-4
    """Learning rate of ψ and ν, where they learn."""
    reward_coef: float = 0.1
    """Weight of the prediction of the reward from ψ, in units of the reward's scale."""
    representation_every: int = 1
    """Updates of the critics per update of the representation, where it learns."""
    imitate: Literal["better", "successes"] = "better"
    """Which offline actions: those that the critics prefer to the policy's; or those of all episodes that are noted as
    successes, for tasks whose rewards lead elsewhere: then these are half of the offline data."""


@dataclass(frozen=True)
class FinetuneConfig(AlgorithmConfig):
    """One online run."""

    encoder: str = SCRATCH
    """Folder or repository of a pretrained encoder; none learns one from scratch."""
    encoder_revision: str = ""
    """Commit, tag or branch of that repository; a full commit names the same encoder for ever."""
    mode: Literal["frozen", "finetuned", "random"] = "finetuned"
    """frozen: ψ stays as it was pretrained; finetuned: it goes on learning; random: the control, an untrained ψ of the
    same sizes and statistics, frozen. From scratch, ψ always learns."""
    env: str = "Hopper-v5"
    """Gymnasium id, of ours (diffsr/Hopper-backward-v0) or of others."""
    arm: str = ""
    """Name under which runs are compared; default: what the encoder and the data are."""
    run_dir: Path | None = None
    """Where everything goes; must not exist. Default: runs/ and a name made of the task, the arm and the seed."""
    resume: Path | None = None
    """A run folder to continue, with its own config.yaml; flags given beside it override that."""
    seed: int = 0
    """Of weights, exploration, batches and environments."""

    total_steps: int = 100_000
    """Environment steps."""
    num_envs: int = 1
    """Environments that are stepped side by side; their steps add up."""
    learning_starts: int = 1_000
    """Steps of random actions at the start; none after a warm start."""
    updates_per_step: int = 1
    """Updates per environment step."""
    capacity: int = 1_000_000
    """Transitions that the replay buffer keeps."""

    offline_dataset: str = ""
    """Minari dataset ids or namespaces, separated by commas, whose transitions are mixed into every batch; for a task
    of ours they get its rewards."""
    offline_fraction: float = 0.5
    """Share of every batch that is offline."""
    offline_steps: int = 0
    """Environment steps over which that share falls linearly to 0; 0 keeps it."""
    warm_start: int = 0
    """Updates of critics and policy on the offline data alone, before the first step; from scratch of ψ too."""
    imitation_coef: float = 1.0
    """Weight of imitating offline actions; falls as the share does."""
    download: bool = True
    """Whether Minari's remote may be asked for a dataset that is not on this machine."""

    eval_every: int = 2_000
    """Steps between two evaluations."""
    eval_episodes: int = 10
    """Episodes per evaluation."""
    checkpoint_every: int = 10_000
    """Steps between two checkpoints."""
    log_every: int = 500
    """Steps between two rows of progress.csv."""
    video_steps: int = 300
    """Length of replay.mp4 at most; 0 for none."""
    threads: int = 1
    """Torch threads; these layers are small, and more threads are often slower."""
    progress: bool = True
    """Whether to show the progress bar."""

    def __post_init__(self) -> None:
        """Refuse settings that no run can have."""
        positive = (
            *("batch_size", "n_step", "critic_frequencies", "policy_delay", "representation_every", "total_steps"),
            *("num_envs", "updates_per_step", "capacity", "eval_every", "eval_episodes", "checkpoint_every"),
            *("log_every", "threads", "learning_starts"),
        )
        for name in positive:
            _require(getattr(self, name) >= 1, f"{name} must be at least 1, got {getattr(self, name)}")
        _require(
            self.batch_size <= LARGEST_BATCH, f"batch_size must be at most {LARGEST_BATCH:,}, got {self.batch_size}"
        )
        not_negative = ("exploration_noise", "reward_coef", "seed", "offline_steps", "warm_start")
        for name in (*not_negative, "imitation_coef", "video_steps"):
            _require(getattr(self, name) >= 0, f"{name} must not be negative, got {getattr(self, name)}")
        for name in ("learning_rate", "representation_rate", "bandwidth"):
            _require(getattr(self, name) > 0, f"{name} must be positive, got {getattr(self, name)}")
        for name in ("discount", "tau", "offline_fraction"):
            _require(0 <= getattr(self, name) <= 1, f"{name} must be in [0, 1], got {getattr(self, name)}")
        _require(bool(self.actor_hidden) and min(self.actor_hidden) >= 1, "actor_hidden must be widths of at least 1")
        _require(self.seed < 2**32, f"seed must be below 2**32, got {self.seed}")
        if self.encoder == SCRATCH and self.mode != "finetuned":
            raise UserError(f"mode={self.mode} needs a pretrained --encoder, a folder or a repository")
        if self.encoder == SCRATCH and self.encoder_revision:
            raise UserError(f"encoder_revision={self.encoder_revision} needs the --encoder that it is a version of")
        if not self.datasets:
            _require(not self.warm_start, "warm_start needs an --offline_dataset such as mujoco/hopper")
            _require(self.imitate == "better", f"imitate={self.imitate} needs an --offline_dataset")

    @property
    def learns_representation(self) -> bool:
        """Whether ψ and ν learn."""
        return self.mode == "finetuned"

    @property
    def datasets(self) -> tuple[str, ...]:
        """The ids and namespaces of `offline_dataset`."""
        return tuple(name.strip() for name in self.offline_dataset.split(",") if name.strip())

    @property
    def label(self) -> str:
        """The arm, named after the encoder and the data if it was given no name."""
        encoder = "scratch" if self.encoder == SCRATCH else self.mode
        data = ("-offline" if self.datasets else "") + ("-warm" if self.warm_start else "")
        return self.arm or encoder + data

    @property
    def run_name(self) -> str:
        """Such as `Hopper-v5-frozen-0`."""
        return f"{registered(self.env).rpartition('/')[2]}-{self.label}-{self.seed}"


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise UserError(message)
