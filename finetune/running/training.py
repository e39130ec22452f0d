"""Algorithm 2 in an environment: act, store, learn, evaluate, save (method, section 4)."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from diffsr_hub.errors import UserError
from diffsr_hub.runs.interrupt import Stopped, StopRequest
from finetune.acting.evaluation import Evaluation, Policy
from finetune.acting.interaction import Interaction
from finetune.learning.batch import Batch
from finetune.learning.batches import Batches
from finetune.learning.learner import Learner
from finetune.running.progress import progress_bar
from finetune.running.record import Record
from finetune.running.saving import Saving
from finetune.schedule import Schedule

LOOK = 8_192
"""transitions on which an agent is measured when it is exported"""
GROWTH = 1.1
"""factor by which the replay buffer grows between two looks at its statistics"""
Say = Callable[[str], None]
Evaluate = Callable[[Policy], Evaluation]


class Training:
    """One online run, from its first step or from its last checkpoint.

    Args:
        learner: What learns.
        interaction: The environments.
        batches: What is learned from.
        schedule: When.
        record: Where progress is noted.
        saving: Where checkpoints go.
        evaluate: Runs whole episodes of a policy in environments of their own.
        to_env: Gives actions in [-1, 1] in the units of the environments.
        generator: Source of all noise.
        say: Told what the user should know.
        shows_progress: Whether there is a progress bar.
    """

    def __init__(
        self,
        learner: Learner,
        interaction: Interaction,
        batches: Batches,
        schedule: Schedule,
        record: Record,
        saving: Saving,
        *,
        evaluate: Evaluate,
        to_env: Callable[[Tensor], Any],
        generator: torch.Generator,
        say: Say = print,
        shows_progress: bool = True,
    ) -> None:
        self.learner, self.interaction, self.batches, self.schedule = learner, interaction, batches, schedule
        self.record, self.saving, self.evaluate, self.to_env = record, saving, evaluate, to_env
        self.generator, self.say, self.shows_progress = generator, say, shows_progress
        self.replay = batches.replay
        self.step, self.seconds, self.measured_rows = 0, 0.0, 0
        self.metrics: dict[str, Tensor] = {}
        self.stop = StopRequest()

    def run(self, resumed: Mapping[str, Any] | None = None) -> None:
        """Train to the last step.

        Args:
            resumed: The state of the checkpoint to go on from; None for a new run.

        Raises:
            UserError: The environment failed; everything up to its last step is saved. Or the losses diverged; the
                last checkpoint is kept.
            Stopped: Ctrl-C or SIGTERM; everything is saved.
        """
        try:
            with self.stop.listening():
                self._begin(resumed)
                self._go_on()
            self.record.draw()
        except Stopped:
            self.say(f"stopped at step {self.step:,} of {self.schedule.total_steps:,} and saved")
            self.say(f"to go on: {self.saving.resume_command}")
            raise
        finally:
            self.record.close()
            self.interaction.close()

    def advance(self) -> None:
        """One step in every environment, and its updates."""
        start = time.process_time()
        self._act()
        self._learn()
        self.seconds += time.process_time() - start

    def save(self) -> None:
        """Write a checkpoint from which `--resume` goes on bit for bit.

        Raises:
            UserError: The weights are not finite; the checkpoint before is kept.
        """
        self._check_finite(dict(self.learner.agent.named_parameters()))
        self.saving.save(self._state(), self.replay)

    def exported_agent(self) -> Any:
        """The agent as it is exported, on the CPU."""
        return self.learner.exported_agent(self.batches.look(LOOK))

    def _begin(self, resumed: Mapping[str, Any] | None) -> None:
        """Come to the first step, or to where the run was interrupted, which may be on the way there."""
        if resumed is not None:
            self._restore(resumed)
        elif self.batches.offline is not None:
            self.learner.measure(self.batches.scale())
        self._warm_start()
        evaluated = bool(self.record.evaluations) and self.record.evaluations[-1]["step"] == self.step
        if self.schedule.is_due(self.schedule.eval_every, self.step) and not evaluated:
            self._evaluate()
        if resumed is None:
            self.save()

    def _go_on(self) -> None:
        """The steps to the end."""
        last = self.schedule.total_steps
        with progress_bar(self.record.env, self.step, last, shown=self.shows_progress) as show:
            while self.step < last:
                self._stop_if_asked()
                self.advance()
                show(self.step, self.record.latest_return)
                self._report()

    def _warm_start(self) -> None:
        """The updates before the first step."""
        while self.step == 0 and self.learner.updates < self.schedule.warm_start:
            self._stop_if_asked()
            start = time.process_time()
            self._update(self.batches.draw(offline_share=1.0))
            self.seconds += time.process_time() - start
            if self.learner.updates % self.schedule.checkpoint_every == 0:
                self.save()

    def _act(self) -> None:
        """One step in every environment."""
        before = self.generator.get_state()
        with self._keeping():
            try:
                action = self._choose(self.interaction.observe())
                stepped = self.interaction.step(action.cpu(), self.to_env(action))
            except UserError:
                self.generator.set_state(before)  # this step has not been
                raise
        self.replay.add(stepped.steps, stepped.ended)
        for episode in stepped.finished:
            self.metrics |= {name: torch.tensor(float(value)) for name, value in episode._asdict().items()}
        self.step += self.schedule.num_envs

    def _choose(self, obs: Tensor) -> Tensor:
        """Actions to try, `[num_envs, action_dim]` in [-1, 1], for raw observations; random ones at the start."""
        device = self.generator.device
        if self.schedule.is_warming_up(self.step):
            shape = self.interaction.envs.action_space.shape or ()
            return torch.rand(shape, generator=self.generator, device=device) * 2 - 1
        return self.learner.act(obs.to(device))

    def _learn(self) -> None:
        if self.schedule.is_warming_up(self.step) or not len(self.replay):
            return
        if self.batches.offline is None and len(self.replay) >= GROWTH * self.measured_rows:
            self.measured_rows = len(self.replay)
            self.learner.measure(self.batches.scale())
        for _ in range(self.schedule.updates_per_step * self.schedule.num_envs):
            self._update(self.batches.at_step(self.step))

    def _update(self, batch: Batch) -> None:
        self.metrics |= self.learner.update(batch)

    def _report(self) -> None:
        """Do what is due at this step."""
        schedule, step = self.schedule, self.step
        if schedule.is_due(schedule.log_every, step):
            rate = step / max(self.seconds, 1e-9)
            self._check_finite(self.metrics)
            values = {name: float(value) for name, value in self.metrics.items()}
            self.record.log({"step": step, "steps_per_second": rate, **values})
        if schedule.is_due(schedule.eval_every, step):
            self._evaluate()
        if schedule.is_due(schedule.checkpoint_every, step):
            self.save()

    def _evaluate(self) -> None:
        self._check_finite(dict(self.learner.agent.named_parameters()))
        with self._keeping():
            evaluation = self.evaluate(self.learner.finished_agent())
        self.record.evaluated(self.step, self.seconds, evaluation)

    def _check_finite(self, tensors: Mapping[str, Tensor]) -> None:
        broken = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
        if broken:
            raise UserError(
                f"the training diverged before step {self.step:,}: {broken[0]} is NaN or infinite; start a new run "
                f"with a lower --learning_rate ({self.saving})"
            )

    def _stop_if_asked(self) -> None:
        if self.stop.asked:
            self.save()
            raise Stopped

    @contextmanager
    def _keeping(self) -> Iterator[None]:
        """Save everything before an environment's failure ends the run."""
        try:
            yield
        except UserError as error:
            self.save()
            raise UserError(
                f"{error}; the run up to step {self.step:,} is saved, to go on: {self.saving.resume_command}"
            ) from error

    def _state(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "seconds": self.seconds,
            "measured_rows": self.measured_rows,
            "generator": self.generator.get_state(),
            "metrics": self.metrics,
            "learner": self.learner.state_dict(),
            "interaction": self.interaction.state_dict(),
            "record": self.record.state_dict(),
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        self.step, self.seconds, self.measured_rows = state["step"], state["seconds"], state["measured_rows"]
        self.generator.set_state(state["generator"])
        self.metrics = state["metrics"]
        self.learner.load_state_dict(state["learner"])
        self.record.load_state_dict(state["record"])
        self.saving.restore(state, self.replay)
        for i in self.interaction.load_state_dict(state["interaction"]):
            self.say(f"environment {i} is not deterministic: it begins a new episode")
        # Also where that was said before, and the run was stopped before its next step was saved.
        for i in self.interaction.ended.nonzero()[0].tolist():
            self.replay.truncate(i)
