"""Everything that an online run can be told."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar

from diffsr_hub.checks import at_least_one, not_negative, positive, require
from diffsr_hub.errors import UserError
from diffsr_hub.suites.env_ids import registered
from finetune.agent.config import PolicyAndCritics
from finetune.agent.fresh_agent import Mode
from finetune.learning.batches import BatchConfig
from finetune.learning.diffsr_learner import LearnerConfig
from finetune.schedule import Schedule

SCRATCH = "none"
Part = TypeVar("Part")


@dataclass(frozen=True, kw_only=True)
class FinetuneConfig(Schedule, BatchConfig, LearnerConfig, PolicyAndCritics):
    """One online run; the defaults of the algorithm are the published setting."""

    encoder: str = SCRATCH
    """Folder or repository of a pretrained encoder; none learns one from scratch."""
    encoder_revision: str = ""
    """Commit, tag or branch of that repository; a full commit names the same encoder for ever."""
    mode: Mode = "finetuned"
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

    offline_dataset: str = ""
    """Minari dataset ids or namespaces, separated by commas, whose transitions are mixed into every batch; for a task
    of ours they get its rewards."""
    download: bool = True
    """Whether Minari's remote may be asked for a dataset that is not on this machine."""

    video_steps: int = 300
    """Length of replay.mp4 at most; 0 for none."""
    device: str = "auto"
    """cpu, cuda, cuda:1 or mps; auto is the GPU where there is one."""
    threads: int = 1
    """Torch threads; these layers are small, and more threads are often slower."""
    progress: bool = True
    """Whether to show the progress bar."""

    def __post_init__(self) -> None:
        """Refuse settings that no run can have."""
        at_least_one(self, "threads", "critic_frequencies")
        not_negative(self, "seed", "video_steps", "exploration_noise")
        positive(self, "bandwidth")
        for part in (Schedule, BatchConfig, LearnerConfig, PolicyAndCritics):
            part.__post_init__(self)
        require(self.seed < 2**32, f"seed must be below 2**32, got {self.seed}")
        if self.encoder == SCRATCH and self.mode != "finetuned":
            raise UserError(f"mode={self.mode} needs a pretrained --encoder, a folder or a repository")
        if self.encoder == SCRATCH and self.encoder_revision:
            raise UserError(f"encoder_revision={self.encoder_revision} needs the --encoder that it is a version of")
        if not self.datasets:
            require(not self.warm_start, "warm_start needs an --offline_dataset such as mujoco/hopper")
            require(self.imitate == "better", f"imitate={self.imitate} needs an --offline_dataset")

    def part(self, kind: type[Part]) -> Part:
        """The settings of one part of the run, such as `LearnerConfig`, and no others."""
        return kind(**{field.name: getattr(self, field.name) for field in fields(kind)})  # type: ignore[arg-type]

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
