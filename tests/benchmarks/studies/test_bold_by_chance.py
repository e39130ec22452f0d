from benchmarks.studies.bold_by_chance import share


def test_intervals_of_few_seeds_leave_out_zero_too_often() -> None:
    few, many = (share(1, seeds, draws=100) for seeds in (3, 10))
    assert few > 0.1 > many
