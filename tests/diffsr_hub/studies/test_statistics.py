"""Laws of the statistics, by numbers that can be computed by hand."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffsr_hub.studies.statistics import (
    Estimate,
    Ratio,
    area,
    band,
    difference,
    estimate,
    iqm,
    mean_difference,
    ratio,
    steps_to,
    waiting,
)

groups = st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=6)


def test_the_interquartile_mean_is_the_mean_of_the_middle_half() -> None:
    assert iqm([100.0, 1, 2, 3, 4, 5, 6, -100]) == (2 + 3 + 4 + 5) / 4


def test_of_fewer_than_four_values_it_is_the_mean() -> None:
    assert iqm([0.0, 0, 9]) == 3


def test_of_curves_it_is_taken_at_every_step() -> None:
    curves = np.array([[0.0, 0], [1, 10], [2, 20], [9, -9]])
    assert iqm(curves).tolist() == [1.5, 5.0]


def test_one_value_has_no_interval() -> None:
    assert estimate([7.0]) == Estimate(7.0, None, None)
    assert f"{estimate([7.0]):.1f}" == "7.0"


def test_equal_values_have_an_empty_interval() -> None:
    assert estimate([2.0, 2, 2]) == Estimate(2.0, 2.0, 2.0)
    assert f"{estimate([2.0, 2, 2]):.1f}" == "2.0"


def test_two_values_are_the_bounds_of_their_mean() -> None:
    """A quarter of the resamples is twice the smaller one, a quarter twice the larger: far more than 2.5 % each."""
    assert estimate([1.0, 3]) == Estimate(2.0, 1.0, 3.0)
    assert f"{estimate([1.0, 3]):.0f}" == "2 [1, 3]"


def test_the_interval_is_about_that_of_the_normal_distribution() -> None:
    """For normal values the mean of the middle half has about 1.09 times the standard error of the mean."""
    values = np.random.default_rng(0).normal(10, 2, 400)
    low, high = band(values)
    assert (high - low) / 2 == pytest.approx(1.96 * 1.09 * 2 / 20, rel=0.1)
    assert low < 10 < high


def test_a_band_draws_whole_curves() -> None:
    curve = np.random.default_rng(0).normal(size=9)
    low, high = band(curve[:, None] * [1.0, 5.0])
    assert low[1] == pytest.approx(5 * low[0])
    assert high[1] == pytest.approx(5 * high[0])


def test_the_same_values_have_the_same_interval() -> None:
    assert estimate([1.0, 4, 9, 16, 25]) == estimate([1.0, 4, 9, 16, 25])


def test_a_difference_is_that_of_the_interquartile_means() -> None:
    """Lowest, 1 - 20, and highest, 3 - 10, are a sixteenth of the resamples each: more than 2.5 %."""
    assert difference([1.0, 3], [10.0, 20]) == Estimate(-13.0, -19.0, -7.0)
    assert difference([100.0, 1, 2, 3, 4, 5, 6, -100], [1.0, 1, 1]).centre == 2.5


def test_a_mean_difference_is_that_of_the_differences() -> None:
    pairs = [([1.0, 3], [10.0, 20]), ([5.0, 5], [1.0, 1])]
    assert mean_difference(pairs[:1]) == difference(*pairs[0])
    assert mean_difference(pairs) == Estimate(-4.5, (-19 + 4) / 2, (-7 + 4) / 2)  # the second has no spread


def test_many_tasks_know_more_than_one() -> None:
    noisy = ([1.0, 2, 3], [0.0, 1, 2])
    one, four = mean_difference([noisy]), mean_difference([noisy] * 4)
    assert one.centre == four.centre == 1.0
    assert one.low is not None and four.low is not None and one.low < 0 < four.low


def test_a_difference_needs_two_values_of_each_for_an_interval() -> None:
    assert difference([3.0], [1.0, 2]) == Estimate(1.5)
    assert difference([3.0, 4], [1.0]) == Estimate(2.5)


@settings(max_examples=20, deadline=None)
@given(groups, groups, st.randoms(use_true_random=False))
def test_a_difference_lies_in_its_interval_and_knows_no_order(a: list[float], b: list[float], chance: Random) -> None:
    found = difference(a, b)
    assert found.low is not None
    assert found.high is not None
    assert found.low - 1e-9 <= found.centre <= found.high + 1e-9
    assert difference(chance.sample(a, len(a)), chance.sample(b, len(b))) == found


@settings(max_examples=20, deadline=None)
@given(groups, groups)
def test_to_swap_the_groups_changes_the_sign(a: list[float], b: list[float]) -> None:
    one, other = difference(a, b), difference(b, a)
    assert one.centre == -other.centre
    assert difference(a, a).centre == 0


def test_the_interval_of_a_difference_is_about_that_of_the_normal_distribution() -> None:
    one, other = np.random.default_rng(0).normal(10, 2, (2, 400))
    found = difference(one.tolist(), other.tolist())
    assert found.low is not None
    assert found.high is not None
    assert (found.high - found.low) / 2 == pytest.approx(2**0.5 * 1.96 * 1.09 * 2 / 20, rel=0.1)


@pytest.mark.parametrize(("seeds", "fewest", "most"), [(3, 0.1, 0.35), (5, 0.0, 0.15)])
def test_how_often_an_interval_leaves_out_zero_by_chance(seeds: int, fewest: float, most: float) -> None:
    """What docs/matrix.md says of it, roughly: 22 % and 6 %."""
    draws = np.random.default_rng(1).normal(size=(60, 2, seeds)).tolist()
    found = [difference(one, other) for one, other in draws]
    assert fewest < np.mean([(each.low or 0) > 0 or (each.high or 0) < 0 for each in found]) < most


def test_the_area_is_the_mean_height() -> None:
    assert area([0, 10, 30], [0.0, 2, 2]) == (10 * 1 + 20 * 2) / 30
    assert area([100, 300], [5.0, 5.0]) == 5
    assert area([0], [3.0]) == 3


def test_steps_to_a_threshold_are_those_of_the_first_evaluation_there() -> None:
    steps, values = [0, 10, 20, 30], [0.0, 4, 6, 5]
    assert steps_to(steps, values, 5.0) == 20  # nothing between 10 and 20
    assert steps_to(steps, values, 4.0) == 10
    assert steps_to(steps, values, -1.0) == 0
    assert steps_to(steps, values, 6.1) is None


def test_where_all_reached_it_the_waiting_is_known() -> None:
    found = waiting([10, 20, 30], [30, 30, 30])
    assert (found.steps.centre, found.reached, found.runs, found.censored) == (20, 3, 3, False)
    assert f"{found:,.0f}" == "20 [10, 30]"


def test_a_run_that_did_not_reach_it_counts_with_its_last_step_as_a_lower_bound() -> None:
    found = waiting([10_000, None, 20_000], [30_000, 30_000, 30_000])
    assert (found.steps.centre, found.reached, found.runs, found.censored) == (20_000, 2, 3, True)
    assert f"{found:,.0f}" == "> 20,000"
    assert f"{waiting([None] * 3, [30_000] * 3):,.0f}" == "> 30,000"


def test_a_run_that_is_trimmed_anyhow_leaves_the_mean_exact() -> None:
    found = waiting([10, 20, 30, None], [15, 30, 30, 15])  # the last ended early, and still counts as the longest
    assert (found.steps, found.censored) == (Estimate(25.0), False)
    assert (found.reached, found.runs) == (3, 4)


def test_ratios_of_bounds_are_bounds() -> None:
    fast, slow, never = waiting([10], [99]), waiting([40], [99]), waiting([None], [80])
    assert ratio(fast, slow) == Ratio(0.25)
    assert ratio(fast, never) == Ratio(0.125, "<")
    assert ratio(never, slow) == Ratio(2.0, ">")
    assert ratio(never, never) is None
    assert ratio(fast, waiting([0], [99])) is None  # reached before the first step
    assert ratio(waiting([0], [99]), never) == Ratio(0.0)  # none is none, whatever the other comes to
    assert f"{Ratio(0.125, '<'):.2f}" == "< 0.12"
    assert f"{Ratio(0.25):.2f}" == "0.25"
