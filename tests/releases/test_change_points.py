import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.releases.change_points import steps
from benchmarks.results.quantities import LEAST_RATIO
from benchmarks.results.statistics import Sample
from benchmarks.units import MIB


def times(*releases):
    return [release and Sample(tuple(release)) for release in releases]


def around(centre):
    return [centre * factor for factor in (0.9, 1.0, 1.05, 1.1)]


def test_a_step_is_found_and_named_by_the_first_release_that_has_it():
    samples = times(around(0.4), around(0.4), around(0.4), around(0.001), around(0.001))
    assert steps(samples, "time") == [3]


def test_two_steps_are_found():
    samples = times(around(1), around(1), around(5), around(5), around(0.1), around(0.1))
    assert steps(samples, "time") == [2, 4]


def test_a_release_without_figures_is_passed_over():
    assert steps(times(around(1), None, around(5), None), "time") == [2]
    assert steps(times(None, around(1), None, around(5)), "time") == [3]


def test_a_release_measured_at_a_bad_moment_is_no_change():
    # Its runs are all above those of the release before, but not above those of the first.
    samples = times([1.0, 1.1, 2.2], [1.0, 1.1, 1.2], [1.8, 1.9, 2.0], [1.0, 1.2, 2.1])
    assert steps(samples, "time") == []


def test_the_last_release_is_compared_with_all_before_it():
    assert steps(times([1.0, 3.0], [1.0, 1.1], [1.9, 2.0]), "time") == []
    assert steps(times([1.0, 1.2], [1.0, 1.1], [1.9, 2.0]), "time") == [2]


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (10, 12, []),  # less than a quarter
        (10, 13, [1]),
        (13, 10, [1]),
        (0.04, 0.3, []),  # less than the counters lag
        (0.0, 4, [1]),
    ],
)
def test_a_peak_has_to_differ_by_more_than_the_gauge_can_be_off(before, after, found):
    samples = times([before * MIB] * 3, [after * MIB] * 3)
    assert steps(samples, "peak") == found


RUNS = st.lists(st.floats(1e-4, 10), min_size=1, max_size=5)


@given(st.lists(st.one_of(st.none(), RUNS), max_size=7))
def test_a_step_separates_all_runs_back_to_the_last_and_on_to_the_next(releases):
    samples = times(*releases)
    found = steps(samples, "time")
    edges = [0, *found, len(samples)]
    parts = [
        [value for sample in samples[one:two] if sample for value in sample.values]
        for one, two in itertools.pairwise(edges)
    ]
    for before, after in itertools.pairwise(parts):
        assert max(before) < min(after) or max(after) < min(before)


@given(st.lists(RUNS, min_size=2, max_size=7))
def test_the_direction_of_time_does_not_matter(releases):
    samples = times(*releases)
    mirrored = {len(samples) - index for index in steps(samples[::-1], "time")}
    assert set(steps(samples, "time")) == mirrored


@given(RUNS, st.integers(2, 6))
def test_equal_releases_have_no_step(runs, count):
    assert steps(times(*[runs] * count), "time") == []
    assert LEAST_RATIO["time"] > 1


def test_where_workers_share_the_work_a_peak_may_double_by_chance():
    samples = times([80 * MIB] * 4, [150 * MIB] * 4, [200 * MIB] * 4)
    assert steps(samples, "peak") == [1, 2]
    assert steps(samples, "peak", shared=True) == []
    samples = times([80 * MIB] * 4, [170 * MIB] * 4)
    assert steps(samples, "peak", shared=True) == [1]
    assert steps(times([1.0] * 4, [1.8] * 4), "time", shared=True) == [1]
