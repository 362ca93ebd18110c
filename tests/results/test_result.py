import pytest

from benchmarks.errors import AbsentError, FigureError
from benchmarks.gauge.readings import MemoryRun, TimeRun
from benchmarks.results.result import Result, Status
from benchmarks.results.statistics import Sample
from benchmarks.units import MIB

RESULT = Result(
    "load",
    "get_fdata",
    raw_bytes=100,
    time_runs=(TimeRun(3.0, 1.0, 0.5), TimeRun(1.0, 1.0, 0.0), TimeRun(2.0, 2.0, 0.0)),
    memory_runs=(MemoryRun(200, 50, 1000), MemoryRun(300, 50, 1000)),
)


def test_a_sample_gives_median_and_range_and_keeps_the_order_of_runs():
    time = RESULT.wall_seconds
    assert (time.low, time.median, time.high) == (1.0, 2.0, 3.0)
    assert time.values == (3.0, 1.0, 2.0)


def test_cpu_time_counts_the_processes_that_the_call_started():
    assert RESULT.cpu_seconds.values == (1.5, 1.0, 2.0)


def test_the_multiplier_is_the_median_peak_over_the_raw_size():
    assert RESULT.multiplier.median == 3.0  # of two runs the upper: a value that was read
    assert RESULT.quantity("multiplier").high == 3.0
    assert Result("", "f", memory_runs=RESULT.memory_runs).multiplier.values == ()


def test_a_sample_without_runs_says_so():
    with pytest.raises(FigureError, match="no run of this method has finished"):
        _ = Sample(()).median


def test_a_failed_method_has_no_figures_and_says_why():
    failed = Result("load", "get_fdata", status=Status.RAISED, message="raised ValueError: x")
    with pytest.raises(FigureError, match=r"load\.get_fdata has no figures: raised ValueError"):
        failed.quantity("time")


def test_what_this_machine_cannot_give_is_absent_and_no_fault():
    warm = Result("load", "cold", status=Status.STAYS_WARM, message="it cannot be dropped")
    with pytest.raises(AbsentError, match=r"load\.cold has no figures: it cannot be dropped"):
        warm.quantity("time")


def test_an_unknown_quantity_is_answered_by_the_known_ones():
    with pytest.raises(
        FigureError,
        match="time, cpu, peak, mapped, kept, whole, throughput, value, times_least, mult",
    ):
        RESULT.quantity("speed")


def test_the_interval_of_a_median_is_that_of_the_binomial_distribution():
    def interval(count):
        return Sample(tuple(float(n) for n in range(1, count + 1))).interval

    # Tables of the sign test: the range up to eight values, then it leaves out the extremes.
    assert interval(5) == (1, 5)
    assert interval(8) == (1, 8)
    assert interval(9) == (2, 8)
    assert interval(12) == (3, 10)
    assert interval(21) == (6, 16)


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (TimeRun(2.0, 1.0, 0.0), "no reason was seen"),
        (TimeRun(2.0, 1.0, 0.0, waited_seconds=0.5), "other work had the processor"),
        (TimeRun(2.0, 1.0, 0.0, stolen_seconds=0.5), "the host took the processor"),
        (TimeRun(2.0, 1.0, 0.0, major_faults=3), "pages were read from disk"),
    ],
)
def test_a_noisy_result_names_what_was_seen_to_disturb_it(run, reason):
    assert Result("t", "m", time_runs=(TimeRun(1.0, 1.0, 0.0), run)).noise == reason


def test_a_quiet_result_names_nothing():
    runs = tuple(TimeRun(second, 1.0, 0.0, waited_seconds=1.0) for second in (1.0, 1.01, 1.02))
    assert Result("t", "m", time_runs=runs).noise == ""


def test_peaks_with_wide_bounds_give_way_to_sharp_ones():
    sharp = MemoryRun(100 * MIB, 0, 0, 100 * MIB, 100 * MIB)
    blurred = MemoryRun(150 * MIB, 0, 0, 90 * MIB, 150 * MIB)
    assert not blurred.is_sharp
    assert Result("t", "m", memory_runs=(blurred, sharp)).peak_bytes.values == (100 * MIB,)
    assert Result("t", "m", memory_runs=(blurred,)).peak_bytes.values == (150 * MIB,)
