import pytest

from benchmarks.errors import FigureError
from benchmarks.results import Result, Sample
from benchmarks.runs import MemoryRun, TimeRun

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
    assert RESULT.multiplier == 2.5
    assert RESULT.quantity("multiplier").high == 3.0
    assert Result("", "f", memory_runs=RESULT.memory_runs).multiplier is None


def test_a_sample_without_runs_says_so():
    with pytest.raises(FigureError, match="no run of this method has finished"):
        _ = Sample(()).median


def test_a_failed_method_has_no_figures_and_says_why():
    failed = Result("load", "get_fdata", status="raised", message="raised ValueError: x")
    with pytest.raises(FigureError, match=r"load\.get_fdata has no figures: raised ValueError"):
        failed.quantity("time")


def test_an_unknown_quantity_is_answered_by_the_known_ones():
    with pytest.raises(FigureError, match="time, cpu, peak, kept, multiplier"):
        RESULT.quantity("speed")
