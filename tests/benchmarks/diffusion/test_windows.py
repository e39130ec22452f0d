"""Windows stay inside their episodes, returns to go obey their recursion, normalisers can be undone."""

import torch

from benchmarks.diffusion.windows import Data, Gaussian, Uniform, accumulated


def test_a_window_is_the_episode_and_then_rests(pendulum: Data) -> None:
    index = torch.arange(len(pendulum))
    window = pendulum.windows(index, 6)
    for i in (0, 3, int(pendulum.lengths[0]) - 2, len(pendulum) - 1):
        inside = min(6, int(pendulum.last[i]) - i + 1)
        steps = pendulum.transitions(torch.arange(i, i + inside))
        assert torch.equal(window.obs[i, :inside], steps.obs)
        assert torch.equal(window.action[i, :inside], steps.action)
        assert (window.action[i, inside:] == 0).all() and (window.reward[i, inside:] == 0).all()
        assert torch.equal(window.obs[i, inside:], steps.next_obs[-1].expand(6 - inside, -1))
        fell = bool(steps.terminated[-1])
        assert window.over[i].tolist() == [False] * inside + [fell] * (6 - inside)


def test_a_window_starts_where_it_is_known(pendulum: Data) -> None:
    """The last episode was cut short after 5 steps, so that what follows is not known; all others fell."""
    starts = set(pendulum.starts(4).tolist())
    first = len(pendulum) - int(pendulum.lengths[-1])
    assert starts == {*range(first), first, first + 1}


def test_returns_to_go_obey_their_recursion(pendulum: Data) -> None:
    value = pendulum.returns_to_go(0.9, fall=-100.0)
    reward = pendulum.steps.reward - 100 * pendulum.steps.terminated
    is_last = pendulum.last == torch.arange(len(pendulum))
    torch.testing.assert_close(value[is_last], reward[is_last])
    torch.testing.assert_close(value[:-1][~is_last[:-1]], (reward[:-1] + 0.9 * value[1:])[~is_last[:-1]])


def test_returns_of_one_episode_by_hand() -> None:
    reward, last = torch.tensor([1.0, 2.0, 4.0, 8.0]), torch.tensor([2, 2, 2, 3])
    torch.testing.assert_close(accumulated(reward, last, 0.5), torch.tensor([3.0, 4.0, 4.0, 8.0]))


def test_normalisers_can_be_undone(pendulum: Data) -> None:
    obs = pendulum.steps.obs
    gaussian, uniform = Gaussian(obs), Uniform(obs)
    torch.testing.assert_close(gaussian(obs).mean(0), torch.zeros(4), atol=1e-5, rtol=0.0)
    torch.testing.assert_close(gaussian.back(gaussian(obs)), obs)
    assert uniform(obs).abs().max() <= 1 and uniform(obs * 100).abs().max() <= 1
    torch.testing.assert_close(uniform.back(uniform(obs)), obs, atol=2e-3, rtol=0.0)
    assert uniform(obs).std(0).sub(3**-0.5).abs().max() < 0.03
