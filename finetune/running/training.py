"""Algorithm 2 in an environment: act, store, learn, evaluate, save (method, section 4)."""

import math
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from diffsr_hub.errors import UserError
from diffsr_hub.runs.interrupt import Stopped, StopRequest
from finetune.acting.environments import make
from finetune.acting.evaluation import check_episodes, evaluate
from finetune.acting.interaction import Interaction
from finetune.agent.agent import Agent
from finetune.agent.fresh_agent import fresh_agent
from finetune.config import SCRATCH, FinetuneConfig
from finetune.learning.learner import Learner
from finetune.learning.offline import load_offline
from finetune.learning.replay import Replay
from finetune.running import checkpoint, replay_files
from finetune.running.progress import progress_bar
from finetune.running.record import Record
from finetune.running.run_folder import RunFolder

EVALUATION_SEED = 1_000_000
"""far from the seeds that users give to training; the same for every run, so that runs are compared on equal starts"""
GROWTH = 1.1
"""factor by which the replay buffer grows between two looks at its statistics"""
SMALLEST_STD = 1e-3
"""of an observation, in its own units, where the statistics come from few steps"""
Say = Callable[[str], None]


class Training:
    """One online run, from its first step or from its last checkpoint.

    Args:
        config: Its settings.
        folder: Where everything goes.
        say: Told what the user should know.

    Raises:
        UserError: The environment, the encoder or the offline data cannot be had, or do not fit each other.
    """

    def __init__(self, config: FinetuneConfig, folder: RunFolder, say: Say = print) -> None:
        self.config, self.folder, self.say = config, folder, say
        check_episodes(config.env, config.eval_episodes)
        self.generator = torch.Generator().manual_seed(config.seed)
        self.interaction = Interaction(
            lambda: make(config.env),
            config.num_envs,
            seed=config.seed,
            n_step=config.n_step,
            discount=config.discount,
        )
        # Only a new run needs its encoder: a checkpoint knows everything of it.
        self.agent = self._stored_agent() if self._is_resumed() else fresh_agent(config, self.interaction.envs)
        with torch.random.fork_rng():  # the reward's head starts from the run's seed too
            torch.manual_seed(config.seed)
            self.learner = Learner(
                self.agent, config, learns_representation=config.learns_representation, generator=self.generator
            )
        sizes = self.agent.encoder.arguments
        steps = math.ceil(config.total_steps / config.num_envs) * config.num_envs
        self.replay = Replay(min(config.capacity, steps), sizes["obs_dim"], sizes["action_dim"])
        bounds = (self.agent.arguments["action_low"], self.agent.arguments["action_high"])
        parts = sizes.get("obs_parts")
        self.offline = (
            load_offline(config, sizes["obs_dim"], sizes["action_dim"], say, bounds, parts) if config.datasets else None
        )
        self.record = Record(folder, config)
        if config.total_steps <= config.learning_starts and not config.warm_start:
            say(f"nothing will be learned: total_steps is not above learning_starts, {config.learning_starts:,}")
        self.step, self.seconds, self.saved_rows, self.measured_rows = 0, 0.0, 0, 0
        self.saved_step = 0
        self.metrics: dict[str, Tensor] = {}
        self.stop = StopRequest()

    def run(self) -> None:
        """Train to the last step.

        Raises:
            UserError: The environment failed; everything up to its last step is saved. Or the losses diverged; the
                last checkpoint is kept.
            Stopped: Ctrl-C or SIGTERM; everything is saved.
        """
        try:
            with self.stop.listening():
                self._begin()
                self._go_on()
            self.record.draw()
        except Stopped:
            self.say(f"stopped at step {self.step:,} of {self.config.total_steps:,} and saved")
            self.say(f"to go on: {self._resume_command()}")
            raise
        finally:
            self.record.close()
            self.interaction.close()

    def _go_on(self) -> None:
        """The steps that are left."""
        last, shown = self.config.total_steps, self.config.progress
        with progress_bar(self.config.env, self.step, last, shown=shown) as show:
            while self.step < last:
                self._stop_if_asked()
                self.advance()
                show(self.step, self.record.latest_return)
                self._report()

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
        self._check_finite(dict(self.agent.named_parameters()))
        replay_files.append(self.folder.replay, self.replay, self.saved_rows)
        checkpoint.save(self.folder.checkpoint, self._state())
        self.saved_rows, self.saved_step = self.replay.added, self.step
        replay_files.drop_forgotten(self.folder.replay, self.replay)

    def _begin(self) -> None:
        """Come to the first step, or to where the run was interrupted, which may be on the way there."""
        resumed = self._is_resumed()
        if resumed:
            self._restore()
        elif self.offline is not None:
            self._measure(self.offline.everything)
        self._warm_start()
        evaluated = bool(self.record.evaluations) and self.record.evaluations[-1]["step"] == self.step
        if self._due(self.config.eval_every) and not evaluated:
            self._evaluate()
        if not resumed:
            self.save()

    def _is_resumed(self) -> bool:
        return self.config.resume is not None and self.folder.checkpoint.is_file()

    def _stored_agent(self) -> Agent:
        """The sizes of a resumed run's agent; the last step of several environments may be a few past the end."""
        state, config = checkpoint.load(self.folder.checkpoint), self.config
        step = state["step"]
        if step >= config.total_steps + config.num_envs:
            raise UserError(
                f"{self.folder.path} is at step {step} already: give --total_steps {step} or more, "
                f"not {config.total_steps}"
            )
        return Agent(**state["agent"])

    def _warm_start(self) -> None:
        """The updates before the first step; a pretrained ψ stays as it is until then."""
        while self.step == 0 and self.learner.updates < self.config.warm_start:
            self._stop_if_asked()
            start = time.process_time()
            self._update(offline_share=1.0, moves_psi=self.config.encoder == SCRATCH)
            self.seconds += time.process_time() - start
            if self.learner.updates % self.config.checkpoint_every == 0:
                self.save()

    def _act(self) -> None:
        """One step in every environment."""
        before = self.generator.get_state()
        with self._keeping():
            try:
                obs = self.interaction.observe()
                action = self._choose(obs)
                batches, finished = self.interaction.step(action, self.agent.to_env(action))
            except UserError:
                self.generator.set_state(before)  # this step has not been
                raise
        for batch in batches:
            self.replay.add(batch)
        for episode in finished:
            self.metrics |= {name: torch.tensor(float(value)) for name, value in episode._asdict().items()}
        self.step += self.config.num_envs

    def _choose(self, obs: Tensor) -> Tensor:
        """Actions to try, `[num_envs, action_dim]` in [-1, 1], for raw observations; random ones at the start."""
        if self._is_warming_up():
            shape = (self.config.num_envs, len(self.agent.centre))
            return torch.rand(shape, generator=self.generator) * 2 - 1
        with torch.no_grad():
            return self.agent.actor.explore(self.agent.encoder.normalize(obs), self.generator)

    def _is_warming_up(self) -> bool:
        return self.step < self.config.learning_starts and not self.config.warm_start

    def _learn(self) -> None:
        if self._is_warming_up() or not len(self.replay):
            return
        if self.offline is None and len(self.replay) >= GROWTH * self.measured_rows:
            self.measured_rows = len(self.replay)
            self._measure(self.replay)
        share = self.config.offline_fraction
        if self.config.offline_steps:
            share *= max(0.0, 1 - self.step / self.config.offline_steps)
        for _ in range(self.config.updates_per_step * self.config.num_envs):
            self._update(share if self.offline is not None else 0.0)

    def _update(self, offline_share: float, *, moves_psi: bool = True) -> None:
        """One update on a batch of which a share is offline."""
        size = self.config.batch_size
        offline = round(size * offline_share)
        rows, imitated = [], 0
        if offline < size:
            rows.append(self.replay.sample(size - offline, self.generator))
        if offline and self.offline is not None:
            more, imitated = self.offline.sample(offline, self.generator)
            rows.append(more)
        imitation = self.config.imitation_coef * offline_share
        batch = self.replay.batch(torch.cat(rows))
        self.metrics |= self.learner.update(batch, imitated, imitation, moves_psi=moves_psi)

    def _measure(self, replay: Replay) -> None:
        """Take the scale of the rewards, and from scratch the statistics of the observations, from data."""
        seen = replay.all()
        size = seen.reward.abs().mean()
        self.agent.reward_scale.copy_(size if size > 0 else torch.ones(()))
        if self.config.encoder == SCRATCH:
            mean, std = seen.obs.mean(0), seen.obs.std(0, correction=0).clamp(min=SMALLEST_STD)
            self.agent.encoder.set_statistics(mean, std, torch.zeros(()), torch.ones(()))

    def _report(self) -> None:
        """What is due at this step."""
        if self._due(self.config.log_every):
            rate = self.step / max(self.seconds, 1e-9)
            self._check_finite(self.metrics)
            values = {name: float(value) for name, value in self.metrics.items()}
            self.record.log({"step": self.step, "steps_per_second": rate, **values})
        if self._due(self.config.eval_every):
            self._evaluate()
        if self._due(self.config.checkpoint_every):
            self.save()

    def _due(self, every: int) -> bool:
        last = self.step >= self.config.total_steps
        return last or self.step // every > (self.step - self.config.num_envs) // every

    def _evaluate(self) -> None:
        self._check_finite(dict(self.agent.named_parameters()))
        with self._keeping():
            agent = self.learner.finished_agent()
            evaluation = evaluate(agent, self.config.env, self.config.eval_episodes, EVALUATION_SEED)
        self.record.evaluated(self.step, self.seconds, evaluation)

    def _check_finite(self, tensors: Mapping[str, Tensor]) -> None:
        broken = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
        if broken:
            raise UserError(
                f"the training diverged before step {self.step:,}: {broken[0]} is NaN or infinite; start a new run "
                f"with a lower --learning_rate ({self.folder.path} keeps the state of step {self.saved_step:,})"
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
                f"{error}; the run up to step {self.step:,} is saved, to go on: {self._resume_command()}"
            ) from error

    def _resume_command(self) -> str:
        return f"diffsr finetune --resume {shlex.quote(str(self.folder.path))}"

    def _state(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "seconds": self.seconds,
            "added": self.replay.added,
            "measured_rows": self.measured_rows,
            "generator": self.generator.get_state(),
            "metrics": self.metrics,
            "agent": self.agent.arguments,
            "learner": self.learner.state_dict(),
            "interaction": self.interaction.state_dict(),
            "record": self.record.state_dict(),
        }

    def _restore(self) -> None:
        state = checkpoint.load(self.folder.checkpoint)
        self.step, self.seconds, self.measured_rows = state["step"], state["seconds"], state["measured_rows"]
        self.generator.set_state(state["generator"])
        self.metrics = state["metrics"]
        self.learner.load_state_dict(state["learner"])
        for i in self.interaction.load_state_dict(state["interaction"]):
            self.say(f"environment {i} is not deterministic: it begins a new episode")
        self.record.load_state_dict(state["record"])
        replay_files.restore(self.folder.replay, self.replay, state["added"])
        self.saved_rows, self.saved_step = state["added"], self.step
