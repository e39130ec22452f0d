"""Laws of a whole run: what it learns, what it leaves alone, and that no interruption changes what comes out."""

import errno
import json
import math
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy.linalg import solve_discrete_are
from torch import Tensor

from diffsr_hub import DiffSR
from diffsr_hub.errors import UserError
from diffsr_hub.runs.interrupt import Stopped
from finetune.acting.evaluation import evaluate
from finetune.acting.interaction import Interaction
from finetune.agent.agent import Agent
from finetune.learning.batch import Batch
from finetune.learning.diffsr_learner import DiffSRLearner
from finetune.learning.offline import OfflineData
from finetune.running import checkpoint
from finetune.running.run_folder import RunFolder
from finetune.running.training import Training
from finetune.train import EVALUATION_SEED, compose
from tests.finetune.learning.stored import write
from tests.finetune.toys import LQR, Faulty, settings
from tests.machine import isolate

FAULTY = {"env": "test/Faulty-v0", "n_step": 3, "num_envs": 2, "total_steps": 60, "learning_starts": 20}


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_encoder: Callable[..., DiffSR]) -> Iterator[None]:
    """A folder with an encoder for three numbers and two actions, and environments that do not fail."""
    isolate(monkeypatch, tmp_path)
    encoder = make_encoder()
    encoder.set_statistics(torch.zeros(3), torch.ones(3) * 0.7, torch.zeros(()), torch.ones(()))
    encoder.save_pretrained("encoder")
    Faulty.fails()
    yield
    Faulty.fails()


def train(name: str = "run", *, say: Callable[[str], None] = lambda _: None, **changes: Any) -> Training:
    """A whole run in a folder of that name; or with `resume`, the rest of it."""
    resume = changes.pop("resume", False)
    if "encoder" not in changes:
        changes["encoder"] = "encoder"
    path = Path(name)
    config = settings(**{**FAULTY, **changes, **{"resume" if resume else "run_dir": path}})
    if resume:
        config = replace(config, run_dir=path)
    folder = RunFolder(path)
    found, state, _ = compose(config, folder, say)
    with folder.in_use(config):
        found.run(state)
        found.exported_agent().save_pretrained(folder.agent)
    return found


def offline_data(found: Training) -> OfflineData:
    assert found.batches.offline is not None
    return found.batches.offline


def all_columns(found: Training) -> tuple[Tensor, ...]:
    return found.replay.all().columns


def same(one: tuple[Tensor, ...], other: tuple[Tensor, ...]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def weights(name: str = "run") -> bytes:
    return Path(name, "agent/model.safetensors").read_bytes()


def curve(name: str = "run") -> list[dict[str, Any]]:
    rows = json.loads(Path(name, "evaluation.json").read_text())["evaluations"]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def at_step(monkeypatch: pytest.MonkeyPatch, step: int, action: Callable[[Training], None]) -> None:
    """Do something once, before the first step after so many."""
    original, done = Training.advance, []

    def advance(self: Training) -> None:
        if self.step >= step and not done:
            done.append(True)
            action(self)
        original(self)

    monkeypatch.setattr(Training, "advance", advance)


def interrupt(_: Training) -> None:
    os.kill(os.getpid(), signal.SIGINT)


def crash(_: Training) -> None:
    raise ZeroDivisionError  # as good as kill -9: nobody catches it


# What is learned


def solved(env_id: str, policy: Any, **changes: Any) -> Agent:
    found = train(
        **{
            **{"env": env_id, "policy": policy, "encoder": "none", "n_step": 1, "num_envs": 1, "batch_size": 64},
            **{"actor_hidden": (32, 32), "critic_frequencies": 64, "learning_starts": 200, "representation_every": 4},
            **changes,
        }
    )
    agent: Agent = found.learner.finished_agent()
    return agent


@pytest.mark.parametrize("policy", ["deterministic", "maximum_entropy"])
def test_a_one_step_environment_is_solved(policy):
    """Its optimum is the action 0.3 s, worth 1; the best constant action is worth 0.81, a random one about 0.48."""
    agent = solved("test/OneStep-v0", policy, total_steps=1_000)
    obs = np.linspace(-1, 1, 21, dtype=np.float32)[:, None]
    action, _ = agent.predict(obs, deterministic=True)
    regret = np.square((action - 0.3 * obs) / 0.4).mean()
    assert regret < 0.02
    best = torch.tensor(0.3 * obs / 0.4)
    assert (agent.value(torch.tensor(obs), best).mean() - 1).abs() < 0.1


def test_a_linear_quadratic_regulator_is_solved():
    """The discounted cost from fixed starts is near Riccati's; doing nothing costs more than twice that."""
    calm = {"learning_rate": 3e-4, "n_step": 3, "batch_size": 128, "exploration_noise": 0.3, "learning_starts": 300}
    agent = solved("test/LQR-v0", "deterministic", total_steps=1_500, discount=0.9, **calm)
    root = math.sqrt(0.9)
    optimal = solve_discrete_are(root * LQR.A, root * LQR.B, LQR.Q, LQR.R)
    starts = np.array([[1, 0], [0, 1], [-1, 0.5], [0.5, -1], [-1, -1], [0.7, 0.7]])
    best = np.einsum("bi,ij,bj->b", starts, optimal, starts).mean()

    def cost(act: Callable[[Any], Any]) -> float:
        state, total = starts.copy(), 0.0
        for t in range(150):
            action = act(state)
            stage = np.einsum("bi,ij,bj->b", state, LQR.Q, state) + LQR.R[0, 0] * action[:, 0] ** 2
            total += 0.9**t * stage.mean()
            state = state @ LQR.A.T + action @ LQR.B.T
        return total

    gain = np.linalg.solve(LQR.R / 0.9 + LQR.B.T @ optimal @ LQR.B, LQR.B.T @ optimal @ LQR.A)
    assert cost(lambda s: -s @ gain.T) == pytest.approx(best, rel=1e-2)  # Riccati's policy has Riccati's value
    assert cost(lambda s: np.zeros((len(s), 1))) > 2 * best
    assert cost(lambda s: agent.predict(s, deterministic=True)[0].astype(float)) < 1.2 * best


# What is left alone


def state(folder: str) -> dict[str, Tensor]:
    return load_file(Path(folder, "model.safetensors"))


def inside(agent: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix("encoder."): tensor for name, tensor in agent.items() if name.startswith("encoder.")}


def test_a_frozen_encoder_is_the_pretrained_one_bit_for_bit():
    found = train(mode="frozen")
    before, after = state("encoder"), inside(state("run/agent"))
    assert set(before) == set(after) and all(torch.equal(before[name], after[name]) for name in before)
    obs, action = torch.randn(7, 3), torch.rand(7, 2)
    expected = DiffSR.from_pretrained("encoder").psi(obs, action)
    for agent in (found.learner.agent, Agent.from_pretrained("run/agent")):
        assert torch.equal(agent.encoder.psi(obs, action), expected)


def test_a_fine_tuned_encoder_keeps_its_statistics_and_changes_its_weights_and_the_variances_of_its_samples():
    train(mode="finetuned")
    before, after = state("encoder"), inside(state("run/agent"))
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert {name.partition(".")[0] for name in moved} == {"psi_network", "score_network", "unexplained"}


def test_the_random_control_has_other_weights_and_the_same_statistics_and_stays_frozen():
    train(mode="random", seed=3)
    before, after = state("encoder"), inside(state("run/agent"))
    for name in ("obs_mean", "obs_std", "reward_mean", "reward_std"):
        assert torch.equal(before[name], after[name])
    psi = [name for name in before if name.startswith("psi_network") and name.endswith("weight")]
    assert psi and not any(torch.equal(before[name], after[name]) for name in psi)
    train("again", mode="random", seed=3, total_steps=20)
    assert all(torch.equal(after[name], inside(state("again/agent"))[name]) for name in psi)
    train("other", mode="random", seed=4, total_steps=20)
    assert not any(torch.equal(after[name], inside(state("other/agent"))[name]) for name in psi)


@pytest.mark.parametrize("policy", ["deterministic", "maximum_entropy"])
def test_evaluation_consumes_none_of_trainings_randomness(policy):
    """However often one looks, the same weights, the same replay buffer and the same next random number come out."""
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index, union-attr]
    rare = train("rare", policy=policy, eval_every=1_000)
    often = train("often", policy=policy, eval_every=7, eval_episodes=3, log_every=1, checkpoint_every=11)
    assert weights("rare") == weights("often")
    assert len(curve("often")) > len(curve("rare")) == 2
    assert same(all_columns(rare), all_columns(often))
    assert torch.equal(rare.generator.get_state(), often.generator.get_state())
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # type: ignore[index]


def test_the_seed_decides():
    one, other, third = train("one", seed=1), train("other", seed=1), train("third", seed=2)
    assert weights("one") == weights("other") != weights("third")
    assert not same(all_columns(one), all_columns(third)) and same(all_columns(one), all_columns(other))


def test_the_curve_is_what_evaluate_says():
    found = train(eval_every=30, eval_episodes=2)
    assert [row["step"] for row in curve()] == [0, 30, 60]
    again = evaluate(Agent.from_pretrained("run/agent"), "test/Faulty-v0", 2, EVALUATION_SEED)
    assert curve()[-1]["returns"] == list(again.returns)
    assert found.record.evaluations[-1]["mean_return"] == again.mean_return


def test_actions_are_rescaled_to_the_environment_and_stored_in_minus_one_to_one(monkeypatch):
    given, original = [], Interaction.step

    def step(self: Interaction, action: Tensor, env_action: Any) -> Any:
        given.append((action.clone(), env_action.copy()))
        return original(self, action, env_action)

    monkeypatch.setattr(Interaction, "step", step)
    found = train(env="Pendulum-v1", encoder="none", n_step=1, num_envs=1, total_steps=30, learning_starts=15)
    actions = np.concatenate([env_action for _, env_action in given])
    assert np.abs(actions).max() > 1.2 and (np.abs(actions) <= 2).all()
    np.testing.assert_allclose(actions, 2 * torch.cat([action for action, _ in given]).numpy(), rtol=1e-6)
    assert torch.equal(found.replay.all().action, torch.cat([action for action, _ in given]))


# Offline data


@pytest.fixture
def dataset(tmp_path: Path) -> str:
    return write("toy/random-v0", "test/Faulty-v0", episodes=6)


def spy(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, float]]:
    """(updates before, offline rows, weight of imitation) of each update."""
    seen: list[tuple[int, int, float]] = []
    original = DiffSRLearner.update

    def update(self: DiffSRLearner, batch: Batch) -> Any:
        assert len(batch.obs) == 16
        seen.append((self.updates, batch.imitated, batch.imitation_coef))
        return original(self, batch)

    monkeypatch.setattr(DiffSRLearner, "update", update)
    return seen


def test_a_share_of_every_batch_is_offline_and_comes_last(dataset, monkeypatch):
    seen, original, parts = spy(monkeypatch), DiffSRLearner.update, []

    def update(self: DiffSRLearner, batch: Batch) -> Any:
        parts.append((batch.obs[: -batch.imitated], batch.obs[-batch.imitated :]))
        return original(self, batch)

    monkeypatch.setattr(DiffSRLearner, "update", update)
    found = train(offline_dataset=dataset, offline_fraction=0.25)
    assert {(offline, weight) for _, offline, weight in seen} == {(4, 0.25 * found.batches.config.imitation_coef)}
    data = offline_data(found)
    stored = {tuple(obs.tolist()) for obs in data.rows(torch.arange(len(data))).obs}
    for online, offline in parts:
        assert all(tuple(obs.tolist()) in stored for obs in offline)
        assert not any(tuple(obs.tolist()) in stored for obs in online)


def test_the_share_falls_linearly_to_nothing(dataset, monkeypatch):
    seen = spy(monkeypatch)
    train(offline_dataset=dataset, offline_fraction=0.5, offline_steps=40, num_envs=1, learning_starts=1, n_step=1)
    shares = [offline for _, offline, _ in seen]
    assert shares == [round(16 * 0.5 * max(0, 1 - step / 40)) for step in range(1, 61)]
    assert shares[-1] == 0 and seen[-1][2] == 0


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_the_share_may_be_nothing_or_all(dataset, monkeypatch, fraction):
    seen = spy(monkeypatch)
    train(offline_dataset=dataset, offline_fraction=fraction)
    assert {offline for _, offline, _ in seen} == {int(16 * fraction)}


def test_a_warm_start_learns_offline_before_the_first_step_and_then_acts_at_once(dataset, monkeypatch):
    seen, steps, original = spy(monkeypatch), [], Interaction.step

    def step(self: Interaction, action: Tensor, env_action: Any) -> Any:
        steps.append(len(seen))
        return original(self, action, env_action)

    monkeypatch.setattr(Interaction, "step", step)
    found = train(offline_dataset=dataset, warm_start=9, learning_starts=50)
    assert steps[0] == 9 and [offline for _, offline, _ in seen[:9]] == [16] * 9
    assert found.learner.updates == 9 + 60 - 2 * 2  # no rows are complete in the first two steps of both


# Interruptions


@pytest.mark.parametrize("capacity", [1_000, 17])
@pytest.mark.parametrize("step", [2, 58])
def test_a_run_that_died_goes_on_bit_for_bit(dataset, monkeypatch, step, capacity):
    """Also with a ring that has overwritten itself since its checkpoint."""
    same = {"offline_dataset": dataset, "checkpoint_every": 10, "eval_every": 20, "log_every": 7, "capacity": capacity}
    train("whole", **same)
    at_step(monkeypatch, step, crash)
    with pytest.raises(ZeroDivisionError):
        train("died", **same)
    train("died", resume=True, **same)
    assert weights("died") == weights("whole") and curve("died") == curve("whole")
    assert len(Path("died/progress.csv").read_text().splitlines()) == len(
        Path("whole/progress.csv").read_text().splitlines()
    )


@pytest.mark.parametrize("mode", ["frozen", "finetuned", "random"])
def test_a_run_goes_on_without_the_encoder_that_it_began_with(monkeypatch, mode):
    train("whole", mode=mode)
    at_step(monkeypatch, 34, crash)
    with pytest.raises(ZeroDivisionError):
        train("died", mode=mode, checkpoint_every=10)
    shutil.rmtree("encoder")
    train("died", resume=True, mode=mode, checkpoint_every=10)
    assert weights("died") == weights("whole") and curve("died") == curve("whole")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_saves_says_how_to_go_on_and_does(dataset, monkeypatch, number):
    train("whole", offline_dataset=dataset)
    before = signal.getsignal(number)
    at_step(monkeypatch, 34, lambda _: os.kill(os.getpid(), number))
    said: list[str] = []
    with pytest.raises(Stopped):
        train("a run", say=said.append, offline_dataset=dataset)
    assert said[-2:] == ["stopped at step 36 of 60 and saved", "to go on: diffsr finetune --resume 'a run'"]
    assert signal.getsignal(number) is before
    train("a run", resume=True, offline_dataset=dataset)
    assert weights("a run") == weights("whole") and curve("a run") == curve("whole")


def test_a_pretrained_psi_begins_to_move_with_the_first_step(dataset):
    """So that a run whose ψ learns starts where the same run with a frozen ψ does."""
    same = {"offline_dataset": dataset, "warm_start": 30, "num_envs": 1, "n_step": 1}
    found = {mode: train(mode, mode=mode, total_steps=1, **same) for mode in ("frozen", "finetuned")}
    assert curve("frozen")[0] == curve("finetuned")[0]
    assert not found["frozen"].learner.encoder_optimizer.state
    moves = {float(s["step"]) for s in found["finetuned"].learner.encoder_optimizer.state.values()}
    assert moves == {1.0}  # the update of the first step
    scratch = train("scratch", encoder="none", **same, total_steps=1).learner.encoder_optimizer.state
    assert {float(s["step"]) for s in scratch.values()} == {31.0}  # that ψ has nothing to lose


def test_a_warm_start_can_be_stopped_and_gone_on_with(dataset, monkeypatch):
    same = {"offline_dataset": dataset, "warm_start": 30}
    train("whole", **same)
    original = DiffSRLearner.update

    def update(self: DiffSRLearner, batch: Batch) -> Any:
        if self.updates == 11:
            monkeypatch.setattr(DiffSRLearner, "update", original)
            os.kill(os.getpid(), signal.SIGINT)
        return original(self, batch)

    monkeypatch.setattr(DiffSRLearner, "update", update)
    with pytest.raises(Stopped):
        train("run", **same)
    assert checkpoint.load(Path("run/checkpoint/state.safetensors"))["learner"]["updates"] == 12
    train("run", resume=True, **same)
    assert weights("run") == weights("whole") and curve("run") == curve("whole")


def test_a_second_ctrl_c_does_not_wait(monkeypatch):
    def twice(_: Training) -> None:
        interrupt(_)
        interrupt(_)

    at_step(monkeypatch, 30, twice)
    with pytest.raises(KeyboardInterrupt) as error:
        train()
    assert not isinstance(error.value, Stopped)


def test_outside_the_main_thread_it_runs_without_signals():
    ended: list[Training] = []
    thread = threading.Thread(target=lambda: ended.append(train(total_steps=22)))
    thread.start()
    thread.join()
    assert ended and ended[0].step == 22


@pytest.mark.parametrize("fault", ["raise", "nan_obs", "nan_reward", "raise_in_reset"])
@pytest.mark.parametrize("at", [10, 45])
def test_a_failure_of_the_environment_that_passes_leaves_no_trace(dataset, fault, at):
    """It is one line, everything up to the last step is kept, and the resumed run equals one without the failure."""
    train("whole", offline_dataset=dataset)
    Faulty.fails(fault, at=at)
    with pytest.raises(UserError, match=r"step \d+ is saved, to go on: diffsr finetune --resume run") as error:
        train("run", offline_dataset=dataset)
    assert "\n" not in str(error.value)
    Faulty.fails(fault, at=1)
    with pytest.raises(UserError):  # it fails again
        train("run", resume=True, offline_dataset=dataset)
    Faulty.fails()
    train("run", resume=True, offline_dataset=dataset)
    assert weights("run") == weights("whole") and curve("run") == curve("whole")


def test_an_evaluation_that_fails_is_made_up_for(monkeypatch):
    train("whole", eval_every=20)
    calls: list[int] = []

    def failing(*arguments: Any, **keywords: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise UserError("the environment raised")
        return evaluate(*arguments, **keywords)

    monkeypatch.setattr("finetune.train.evaluate", failing)
    with pytest.raises(UserError, match="the run up to step 40 is saved"):
        train("run", eval_every=20)
    train("run", resume=True, eval_every=20)
    assert weights("run") == weights("whole") and curve("run") == curve("whole")


@pytest.mark.parametrize("moment", ["steps", "state", "replace"])
def test_an_interrupted_save_goes_on_from_the_older_checkpoint(monkeypatch, moment):
    """A full disk while the steps or the state are written, or a crash before a file is in place."""
    same = {"checkpoint_every": 20, "capacity": 17}
    train("whole", **same)
    save, replace_, count = checkpoint.save, os.replace, []

    def failing(file: Path, content: Any) -> None:
        wanted = "steps" if moment == "steps" else "state"
        count.append(file.name.startswith(wanted))
        if sum(count) == 3 and count[-1]:
            if moment == "replace":
                monkeypatch.setattr(os, "replace", lambda *_: crash(None))  # type: ignore[arg-type]
            else:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(file, content)

    monkeypatch.setattr(checkpoint, "save", failing)
    with pytest.raises((OSError, ZeroDivisionError)):
        train("run", **same)
    monkeypatch.setattr(checkpoint, "save", save)
    monkeypatch.setattr(os, "replace", replace_)
    kept = checkpoint.load(Path("run/checkpoint/state.safetensors"))["step"]
    assert kept == (40 if moment == "steps" else 20)
    train("run", resume=True, **same)
    assert weights("run") == weights("whole") and curve("run") == curve("whole")


@pytest.mark.filterwarnings("ignore:.*overflow")
@pytest.mark.parametrize("policy", ["deterministic", "maximum_entropy"])
@pytest.mark.parametrize("log_every", [1, 1_000_000])
def test_a_run_that_diverges_stops_with_one_line_and_keeps_its_last_good_checkpoint(policy, log_every):
    with pytest.raises(UserError, match=r"diverged before step .*lower --learning_rate") as error:
        train(learning_rate=1e30, policy=policy, log_every=log_every, checkpoint_every=10)
    assert "\n" not in str(error.value)
    kept = checkpoint.load(Path("run/checkpoint/state.safetensors"))
    assert all(tensor.isfinite().all() for tensor in kept["learner"]["agent"].values())
    assert f"keeps the state of step {kept['step']}" in str(error.value)


def test_a_run_of_another_version_is_refused_in_one_line(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("finetune.running.saving.VERSION", 1)
        train(total_steps=20)
    with pytest.raises(
        UserError, match=r"run was started with another version of diffsr-hub, .*: start a new run"
    ) as error:
        train(resume=True)
    assert "\n" not in str(error.value)


def test_an_environment_that_is_not_deterministic_goes_on_in_a_new_episode(monkeypatch):
    """The steps of the old one stay, and no return reaches beyond them."""
    Faulty.fault = "noise"
    at_step(monkeypatch, 34, interrupt)
    with pytest.raises(Stopped):
        train()
    said: list[str] = []
    found = train(resume=True, say=said.append)
    assert sum("is not deterministic: it begins a new episode" in line for line in said) == 2
    assert found.step == 60 and len(found.replay) == 2 * 28  # two of the newest wait for their return


def test_the_end_of_an_episode_that_does_not_go_on_outlasts_another_stop(monkeypatch):
    """The run is stopped again before a step that could be saved; no transition crosses into the new episode."""
    Faulty.fault = "noise"
    for name in ("once", "twice"):
        with monkeypatch.context() as patch:
            at_step(patch, 34, interrupt)
            with pytest.raises(Stopped):
                train(name)
    with monkeypatch.context() as patch:
        patch.setattr(Training, "_go_on", lambda self: (interrupt(self), self._stop_if_asked()))
        with pytest.raises(Stopped):
            train("twice", resume=True)
    once, twice = (train(name, resume=True).replay for name in ("once", "twice"))
    assert torch.equal(once.outcome[..., -1], twice.outcome[..., -1])  # how each step leaves its episode


def test_a_finished_run_may_be_made_longer():
    train(num_envs=2, total_steps=21)
    found = train(resume=True, num_envs=2, total_steps=40, eval_every=10)
    assert found.step == 40 and len(found.replay) == 40
    assert found.replay.all().obs.abs().sum(-1).min() > 0
    assert curve()[-1]["step"] == 40
    before = weights()
    train(resume=True, num_envs=2, total_steps=40)
    assert weights() == before and curve()[-1]["step"] == 40


# Sizes at the edge


@pytest.mark.parametrize(
    "changes",
    [
        {"total_steps": 1},
        {"total_steps": 5, "learning_starts": 100},
        {"capacity": 1},
        {"capacity": 3, "batch_size": 64},
        {"n_step": 50},
        {"n_step": 50, "capacity": 2, "num_envs": 3},
        {"eval_every": 10**9, "checkpoint_every": 10**9, "log_every": 10**9},
        {"eval_every": 1, "checkpoint_every": 1, "log_every": 1, "total_steps": 24},
        {"num_envs": 7, "total_steps": 10, "learning_starts": 1},
        {"updates_per_step": 3, "policy_delay": 100},
        {"discount": 0.0},
        {"discount": 1.0},
        {"batch_size": 1},
    ],
    ids=str,
)
def test_sizes_at_the_edge_run(changes):
    found = train(**changes)
    assert (
        found.step >= found.schedule.total_steps and found.step - found.schedule.total_steps < found.schedule.num_envs
    )
    assert curve()[-1]["step"] == found.step
    Agent.from_pretrained("run/agent")


def test_nothing_can_be_learned_before_learning_starts_and_that_is_said():
    said: list[str] = []
    train(say=said.append, total_steps=20, learning_starts=20)
    assert any("learning_starts" in line for line in said)
