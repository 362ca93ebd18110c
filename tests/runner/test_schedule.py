"""How many runs a result still needs, and how they are spread over interpreters."""

from dataclasses import replace

from benchmarks import Result
from benchmarks.gauge.readings import MemoryRun, Series, TimeRun
from benchmarks.runner import schedule
from benchmarks.runner.order import Batch
from benchmarks.units import MIB


def test_missing_runs_are_spread_over_few_interpreters():
    none = Result("t", "m")
    assert schedule.missing(none, 1) == [Batch(1, 1, 1)]
    assert schedule.missing(none, 5) == [Batch(2, 1, 0), Batch(2, 1, 2), Batch(1, 1, 1)]
    assert schedule.missing(none, 5, timed=False) == [Batch(0, 1, n) for n in (0, 2, 1)]
    assert [(batch.time, batch.layout) for batch in schedule.missing(none, 11)] == [
        (3, 1),
        (3, 0),
        (3, 2),
        (2, 1),
    ]


def test_runs_that_start_their_workers_share_an_interpreter():
    none = Result("t", "m")
    assert schedule.missing(none, 5, memory=1, together=True) == [Batch(5, 1, 1)]
    begun = Result("t", "m", time_runs=(TimeRun(1, 1, 0),) * 2, memory_runs=(sharp(),))
    assert schedule.missing(begun, 5, memory=1, together=True) == [Batch(3, 0, 1)]


def test_runs_that_are_left_come_from_the_templates_that_had_none():
    first, *others = schedule.missing(Result("t", "m"), 5)
    runs = (TimeRun(1, 1, 0),) * first.time
    left = schedule.missing(Result("t", "m", time_runs=runs, memory_runs=(sharp(),)), 5)
    assert left == others


def sharp(peak=0, processes=1):
    series = Series(processes=(processes,))
    return MemoryRun(peak, 0, 0, peak, peak, series=series)


def weighed(*runs, timed=2):
    return Result("t", "m", time_runs=(TimeRun(1, 1, 0),) * timed, memory_runs=runs)


def test_two_peaks_of_one_process_that_agree_are_enough():
    assert [batch.memory for batch in schedule.missing(weighed(sharp()), 5)] == [1, 1]
    assert [batch.memory for batch in schedule.missing(weighed(sharp(), sharp()), 5)] == [0, 0]
    assert schedule.missing(weighed(sharp(), sharp(MIB), timed=5), 5) == [Batch(0, 1, 1)]


def test_runs_with_workers_that_are_left_share_an_interpreter():
    first = weighed(sharp(processes=3))
    assert schedule.missing(first, 5) == [Batch(3, 2, 1)]
    assert schedule.missing(weighed(*first.memory_runs * 2, timed=5), 5) == [Batch(0, 1, 1)]


def sample(*seconds, low=0, high=0):
    return Result(
        "t",
        "m",
        time_runs=tuple(TimeRun(s, s, 0.0) for s in seconds),
        memory_runs=(MemoryRun(high, 0, 0, low, high),) * 3,
    )


def test_a_noisy_short_call_gets_more_runs_and_a_long_one_does_not():
    noisy = (0.01, 0.01, 0.01, 0.01, 0.02)
    assert schedule.missing(sample(*noisy), 5) == [Batch(4, 0)]
    assert schedule.missing(sample(*(100 * s for s in noisy)), 5) == []
    assert schedule.missing(sample(*noisy, *noisy[1:]), 5) == []
    assert schedule.missing(sample(0.01, 0.01, 0.01, 0.01, 0.01), 5) == []


def test_a_blurred_peak_is_read_again_twice_at_most():
    blurred = sample(1, 1, 1, 1, 1, low=0, high=100 * MIB)
    assert [batch.memory for batch in schedule.missing(blurred, 5)] == [1, 1]
    again = replace(blurred, memory_runs=(*blurred.memory_runs, *blurred.memory_runs[:2]))
    assert schedule.missing(again, 5) == []


def test_one_blurred_peak_beside_two_sharp_ones_is_left_at_that():
    one = sharp(processes=3)
    blurred = replace(one, low_bytes=0, high_bytes=100 * MIB)
    assert schedule.missing(weighed(blurred, timed=5), 5) == [Batch(0, 2, 1)]
    assert schedule.missing(weighed(blurred, one, one, timed=5), 5) == []
    assert schedule.missing(weighed(blurred, blurred, one, timed=5), 5) == [Batch(0, 1, 1)]
