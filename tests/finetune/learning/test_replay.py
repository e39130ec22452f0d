"""Laws of the ring: the newest steps and only they, each observation once, rows as loops over episodes make them."""

from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from diffsr_hub.transitions import Transitions
from finetune.learning.batch import Batch
from finetune.learning.replay import Replay

Step = tuple[Transitions, Tensor]


def course(steps: int, num_envs: int, seed: int, ends: float = 0.2) -> Iterator[Step]:
    """Random episodes in several environments; an observation says (environment, episode, time)."""
    g = torch.Generator().manual_seed(seed)
    episode, time = torch.zeros(num_envs), torch.zeros(num_envs)
    for _ in range(steps):
        obs = torch.stack([torch.arange(num_envs).float(), episode, time], dim=1)
        next_obs = torch.stack([torch.arange(num_envs).float(), episode, time + 1], dim=1)
        ended = torch.rand(num_envs, generator=g) < ends
        terminated = ended & (torch.rand(num_envs, generator=g) < 0.5)
        reward = torch.randn(num_envs, generator=g)
        yield Transitions(obs, -obs[:, :1], reward, next_obs, terminated), ended
        episode, time = episode + ended, torch.where(ended, 0, time + 1)


def filled(replay: Replay, steps: list[Step]) -> Replay:
    for step, ended in steps:
        replay.add(step, ended)
    return replay


def expected(steps: list[Step], num_envs: int, n: int, discount: float) -> list[list[dict[str, object]]]:
    """The rows of each environment whose returns are known, written as loops over its episodes."""
    rows: list[list[dict[str, object]]] = [[] for _ in range(num_envs)]
    for env in range(num_envs):
        for t, (step, _) in enumerate(steps):
            total, k = 0.0, 0
            for later, ended in steps[t : t + n]:
                total += discount**k * float(later.reward[env])
                k += 1
                last, over = later, bool(ended[env])
                if over:
                    break
            if k < n and not over:
                break
            rows[env].append(
                {
                    "obs": step.obs[env].tolist(),
                    "next_obs": step.next_obs[env].tolist(),
                    "reward": float(step.reward[env]),
                    "n_step_return": total,
                    "bootstrap_obs": last.next_obs[env].tolist(),
                    "bootstrap_discount": 0.0 if bool(last.terminated[env]) else discount**k,
                }
            )
    return rows


def as_rows(batch: Batch) -> list[dict[str, object]]:
    names = ("obs", "next_obs", "reward", "n_step_return", "bootstrap_obs", "bootstrap_discount")
    return [{name: getattr(batch, name)[i].tolist() for name in names} for i in range(len(batch.reward))]


def key(row: dict[str, object]) -> tuple[float, ...]:
    return tuple(row["obs"])  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.integers(1, 3), st.integers(1, 5), st.integers(0, 40), st.integers(1, 25), st.integers(0, 9))
def test_the_newest_known_rows_are_there_as_loops_over_episodes_make_them(num_envs, n, length, capacity, seed):
    steps = list(course(length, num_envs, seed))
    replay = filled(Replay(capacity, 3, 1, num_envs=num_envs, n=n, discount=0.5), steps)
    known = expected(steps, num_envs, n, 0.5)
    kept = max(1, capacity // num_envs)
    wanted = sorted((row for rows in known for row in rows[-kept:]), key=key)
    found = sorted(as_rows(replay.all()), key=key)
    assert len(replay) == len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert {name: pytest.approx(value, abs=1e-5) for name, value in other.items()} == one
    assert torch.equal(replay.all().action, -replay.all().obs[:, :1])


@given(st.integers(1, 9), st.integers(0, 40))
def test_of_one_environment_a_number_is_the_same_step_as_long_as_it_is_kept(capacity, length):
    """As in a plain ring of rows: row j holds the newest step whose number is j modulo the capacity."""
    replay = filled(Replay(capacity, 3, 1, n=1), list(course(length, 1, 0, ends=0.0)))
    times = replay.all().obs[:, 2].tolist()
    for j, time in enumerate(times):
        assert time % capacity == j and length - capacity <= time < length
    assert len(times) == min(length, capacity)


@pytest.mark.parametrize("added", [3, 5, 12], ids=["partly full", "full", "wrapped"])
def test_samples_are_uniform_over_what_is_kept_and_keep_columns_together(added):
    replay = filled(Replay(5, 3, 1, n=1), list(course(added, 1, 0, ends=0.3)))
    drawn = replay.sample(20_000, torch.Generator().manual_seed(0))
    counts = torch.unique(drawn.reward, return_counts=True)[1] / 20_000
    kept = min(added, 5)
    assert len(counts) == kept and ((counts - 1 / kept).abs() < 0.02).all()
    known = {row["reward"]: row for row in as_rows(replay.all())}
    assert all(known[row["reward"]] == row for row in as_rows(drawn)[:200])


def test_equal_generators_draw_equal_batches_and_touch_no_other_randomness():
    replay, before = filled(Replay(5, 3, 1), list(course(5, 1, 0))), torch.get_rng_state()
    one, other = (replay.sample(7, torch.Generator().manual_seed(1)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.columns, other.columns, strict=True))
    assert torch.equal(torch.get_rng_state(), before)


def test_an_episode_that_will_not_go_on_is_truncated_where_it_is():
    steps = list(course(6, 2, 0, ends=0.0))
    replay = filled(Replay(20, 3, 1, num_envs=2, n=3, discount=0.5), steps)
    assert len(replay) == 2 * 4
    replay.truncate(1)
    assert len(replay) == 4 + 6
    last = {tuple(row["obs"]): row for row in as_rows(replay.all())}[(1.0, 0.0, 5.0)]  # type: ignore[arg-type]
    assert last["bootstrap_obs"] == [1, 0, 6] and last["bootstrap_discount"] == 0.5


@pytest.mark.parametrize("sizes", [(11, 3), (17, 6), (348, 17), (39, 4)], ids=str)
def test_a_transition_takes_less_than_half_of_what_whole_rows_took(sizes):
    """Three observations, an action, the reward, the n-step return and the discount, all of them float32."""
    obs_dim, action_dim = sizes
    replay = Replay(50_000, obs_dim, action_dim, n=3)
    for _ in range(50):  # an end every thousand steps
        replay.after_ends.add(torch.tensor([replay.added]), torch.zeros(1, obs_dim))
    assert replay.nbytes / 50_000 <= 0.45 * 4 * (3 * obs_dim + action_dim + 3)
