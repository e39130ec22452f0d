"""The closed-form score against autograd and finite differences, and the matrix score against its sum."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from diffsr_hub.model.schedule import NoiseSchedule
from diffsr_hub.model.score import GradientScore, MatrixScore

DEPTHS = [(7,), (7, 5), (6, 7, 5)]


def gradient_score(obs_dim: int, hidden: Sequence[int], feature_dim: int = 4, num_levels: int = 5) -> GradientScore:
    """A float64 score all of whose parameters are random, also those that start at zero."""
    score = GradientScore(NoiseSchedule("vp", num_levels), obs_dim, feature_dim, hidden).double()
    generator = torch.Generator().manual_seed(obs_dim)
    for parameter in score.parameters():
        torch.nn.init.normal_(parameter, std=0.5 * parameter.shape[-1] ** -0.5, generator=generator)
    return score


def inputs(obs_dim: int, batch: int = 6, feature_dim: int = 4, num_levels: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    psi = torch.randn(batch, feature_dim, generator=generator, dtype=torch.float64)
    noisy = torch.randn(batch, obs_dim, generator=generator, dtype=torch.float64)
    return psi, noisy, torch.arange(batch) % num_levels


@pytest.mark.parametrize("hidden", DEPTHS, ids=str)
@pytest.mark.parametrize("obs_dim", [1, 11, 348])
def test_closed_form_is_the_gradient_of_psi_dot_nu(obs_dim: int, hidden: Sequence[int]) -> None:
    score = gradient_score(obs_dim, hidden)
    psi, noisy, level = inputs(obs_dim)
    noisy.requires_grad_()
    (expected,) = torch.autograd.grad((psi * score.nu(noisy, level)).sum(), noisy)
    torch.testing.assert_close(score(psi, noisy, level), expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("hidden", DEPTHS, ids=str)
def test_closed_form_is_the_finite_difference_of_psi_dot_nu(hidden: Sequence[int]) -> None:
    score, step = gradient_score(11, hidden), 1e-5
    psi, noisy, level = inputs(11)
    for axis, unit in enumerate(torch.eye(11, dtype=torch.float64) * step):
        rise = (psi * (score.nu(noisy + unit, level) - score.nu(noisy - unit, level))).sum(-1) / (2 * step)
        torch.testing.assert_close(score(psi, noisy, level)[:, axis], rise, rtol=1e-6, atol=1e-7)


def parameter_gradient_holds(score: GradientScore | MatrixScore, obs_dim: int) -> bool:
    """Whether autograd's derivatives of the score in ψ, s̃' and every parameter equal finite differences."""
    names, values = zip(*score.named_parameters(), strict=True)
    psi, noisy, level = inputs(obs_dim, batch=3)

    def call(psi: Tensor, noisy: Tensor, *parameters: Tensor) -> Tensor:
        return torch.func.functional_call(score, dict(zip(names, parameters, strict=True)), (psi, noisy, level))

    leaves = [tensor.detach().requires_grad_() for tensor in (psi, noisy, *values)]
    return torch.autograd.gradcheck(call, leaves)


@pytest.mark.parametrize("hidden", [(3,), (4, 3)], ids=str)
@pytest.mark.parametrize("obs_dim", [1, 2])
def test_parameter_gradients_of_the_closed_form_are_finite_differences(obs_dim: int, hidden: Sequence[int]) -> None:
    assert parameter_gradient_holds(gradient_score(obs_dim, hidden), obs_dim)


def test_parameter_gradients_of_the_matrix_score_are_finite_differences() -> None:
    torch.manual_seed(0)
    assert parameter_gradient_holds(MatrixScore(NoiseSchedule("vp", 5), 2, 4, (3, 3)).double(), 2)


def test_parameter_gradients_equal_those_of_a_double_backward() -> None:
    score = gradient_score(11, (7, 5))
    psi, noisy, level = inputs(11)
    noisy.requires_grad_()
    (slow,) = torch.autograd.grad((psi * score.nu(noisy, level)).sum(), noisy, create_graph=True)
    expected = torch.autograd.grad(slow.sin().sum(), list(score.parameters()), allow_unused=True)
    found = torch.autograd.grad(score(psi, noisy, level).sin().sum(), list(score.parameters()), allow_unused=True)
    for one, other in zip(found, expected, strict=True):
        assert one is not None and other is not None
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-11)


def test_score_is_linear_in_psi_and_zero_at_psi_zero() -> None:
    score = gradient_score(3, (7,))
    psi, noisy, level = inputs(3)
    other = psi.flip(0)
    combined = 2 * score(psi, noisy, level) - 3 * score(other, noisy, level)
    torch.testing.assert_close(score(2 * psi - 3 * other, noisy, level), combined)
    assert not score(torch.zeros_like(psi), noisy, level).any()


def test_predicted_noise_starts_at_the_same_size_at_every_level() -> None:
    torch.manual_seed(0)
    schedule = NoiseSchedule("vp", 50)
    score = GradientScore(schedule, 11, 64, (64,))
    psi, noisy = torch.randn(2000, 64), torch.randn(2000, 11)
    sizes = torch.stack(
        [
            (schedule.beta[k].sqrt() * score(psi, noisy, torch.full((2000,), k))).square().mean().sqrt()
            for k in (0, 25, 49)
        ]
    )
    assert sizes.max() / sizes.min() < 1.2
    assert sizes.min() > 0.3 and sizes.max() < 3


def test_level_changes_the_shape_of_nu_and_not_only_its_scale() -> None:
    score = gradient_score(3, (7,))
    one, other = (score.nu(noisy.expand(5, 3), torch.arange(5)) for noisy in inputs(3)[1][:2])
    assert ((one / other).diff(dim=0).abs() > 1e-3).all()


@pytest.mark.parametrize(("obs_dim", "hidden"), [(1, (8,)), (11, (8, 8)), (348, (8,))])
def test_matrix_score_is_psi_times_zeta(obs_dim: int, hidden: Sequence[int]) -> None:
    torch.manual_seed(0)
    schedule = NoiseSchedule("vp", 5)
    score = MatrixScore(schedule, obs_dim, 4, hidden).double()
    psi, noisy, level = inputs(obs_dim)
    output = score.network(torch.cat([noisy, schedule.code[level]], dim=1))
    zeta = -output.reshape(6, 4, obs_dim) / schedule.beta[level].sqrt()[:, None, None]
    torch.testing.assert_close(score(psi, noisy, level), torch.einsum("bd,bdo->bo", psi, zeta))


@pytest.mark.parametrize("kind", [GradientScore, MatrixScore])
def test_leading_shapes_agree_and_levels_broadcast(kind: type[GradientScore | MatrixScore]) -> None:
    torch.manual_seed(0)
    score = kind(NoiseSchedule("vp", 5), 3, 4, (8, 8)).double()
    psi, noisy, level = torch.randn(6, 2, 4).double(), torch.randn(6, 2, 3).double(), torch.randint(5, (6, 2))
    whole = score(psi, noisy, level)
    torch.testing.assert_close(score(psi[4], noisy[4], level[4]), whole[4])
    torch.testing.assert_close(score(psi[4, 1], noisy[4, 1], level[4, 1]), whole[4, 1])
    all_levels = score(psi[0, 0], noisy[0, 0], torch.arange(5))
    one_by_one = [score(psi[0, 0], noisy[0, 0], torch.tensor(k)) for k in range(5)]
    torch.testing.assert_close(all_levels, torch.stack(one_by_one))
    scalar = score(psi, noisy, torch.tensor(2))
    torch.testing.assert_close(scalar, score(psi, noisy, torch.full((6, 2), 2)))
    if isinstance(score, GradientScore):
        every = score.nu(noisy[0, 0], torch.arange(5))
        torch.testing.assert_close(every, score.nu(noisy[0, 0].expand(5, 3), torch.arange(5)))
        torch.testing.assert_close(score.nu(noisy, torch.tensor(2)), score.nu(noisy, torch.full((6, 2), 2)))
