"""When things happen in an online run, in environment steps unless it is said otherwise."""

from dataclasses import dataclass

from diffsr_hub.checks import at_least_one, not_negative


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The course of a run."""

    total_steps: int = 100_000
    """Environment steps."""
    num_envs: int = 1
    """Environments that are stepped side by side; their steps add up."""
    learning_starts: int = 1_000
    """Steps of random actions at the start; none after a warm start."""
    updates_per_step: int = 1
    """Updates per environment step."""
    warm_start: int = 0
    """Updates of critics and policy on the offline data alone, before the first step; from scratch of ψ too."""
    eval_every: int = 2_000
    """Steps between two evaluations."""
    eval_episodes: int = 10
    """Episodes per evaluation."""
    checkpoint_every: int = 10_000
    """Steps between two checkpoints."""
    log_every: int = 500
    """Steps between two rows of progress.csv."""

    def __post_init__(self) -> None:
        """Refuse a course that no run can take."""
        at_least_one(self, "total_steps", "num_envs", "learning_starts", "updates_per_step")
        at_least_one(self, "eval_every", "eval_episodes", "checkpoint_every", "log_every")
        not_negative(self, "warm_start")

    @property
    def learns(self) -> bool:
        """Whether there is any update."""
        return self.total_steps > self.learning_starts or bool(self.warm_start)

    def is_warming_up(self, step: int) -> bool:
        """Whether actions are still random, and nothing is learned, after so many steps."""
        return step < self.learning_starts and not self.warm_start

    def is_due(self, every: int, step: int) -> bool:
        """Whether something that happens `every` so many steps does so after this one, which may have passed it."""
        return step >= self.total_steps or step // every > (step - self.num_envs) // every
