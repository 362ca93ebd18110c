import numpy as np

from benchmarks.gauge import MemoryGauge
from benchmarks.units import MIB


def test_peak_and_kept_are_counted_from_the_start():
    before = np.ones(50 * MIB, np.uint8)
    gauge = MemoryGauge()
    gauge.start()
    spike = np.ones(40 * MIB, np.uint8)
    del spike
    kept = np.ones(10 * MIB, np.uint8)
    assert abs(gauge.peak_bytes() - 40 * MIB) < MIB
    assert abs(gauge.kept_bytes() - 10 * MIB) < MIB
    assert gauge.baseline_bytes > before.nbytes
    assert kept.nbytes == 10 * MIB


def test_a_second_start_forgets_the_peak_before():
    gauge = MemoryGauge()
    gauge.start()
    np.ones(40 * MIB, np.uint8)
    gauge.start()
    assert abs(gauge.peak_bytes()) < MIB


def test_memory_that_is_never_touched_is_not_counted():
    gauge = MemoryGauge()
    gauge.start()
    untouched = np.zeros(500 * MIB, np.uint8)
    assert abs(gauge.peak_bytes()) < MIB
    assert untouched.nbytes == 500 * MIB
