import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import psutil
import pytest
from conftest import children

from benchmarks import Result, measure, runner
from benchmarks.errors import MethodError
from benchmarks.units import MIB

MARGIN_BYTES = 1 * MIB


def nothing():
    return None


def allocate(size_mib):
    return np.ones(size_mib * MIB, np.uint8)


def spike(size_mib, seconds):
    array = np.ones(size_mib * MIB, np.uint8)
    time.sleep(seconds)
    del array
    return sum(range(1000))


def heap_used_again():
    """Use blocks that are too small to be mapped, freed by the warm-up call before."""
    return [bytes(1000) for _ in range(50_000)]


def fail():
    raise KeyError("voxel")


def segfault():
    ctypes.string_at(0)


def ended_by_itself():
    os._exit(3)


def endless():
    time.sleep(600)


def leave_a_daemon():
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    return 1


def chatty():
    print("a line on standard output")  # noqa: T201
    return 1


def test_allocated_memory_is_read_to_the_mebibyte():
    result = measure(allocate, 300, runs=2)
    for peak, kept in zip(result.peak_bytes.values, result.kept_bytes.values, strict=True):
        assert abs(peak - 300 * MIB) < MARGIN_BYTES
        assert abs(kept - 300 * MIB) < MARGIN_BYTES


def test_a_spike_of_five_milliseconds_is_seen_in_full():
    result = measure(spike, 64, 0.005, runs=2)
    for peak, kept in zip(result.peak_bytes.values, result.kept_bytes.values, strict=True):
        assert abs(peak - 64 * MIB) < MARGIN_BYTES
        assert abs(kept) < MARGIN_BYTES


def test_nothing_reads_nothing_and_freed_memory_that_is_used_again_is_seen():
    assert abs(measure(nothing, runs=1).peak_bytes.median) < MARGIN_BYTES
    used = 50_000 * sys.getsizeof(bytes(1000))
    assert measure(heap_used_again, runs=1).peak_bytes.median > 0.95 * used


def test_wall_time_is_that_of_the_call_alone():
    seconds = measure(time.sleep, 0.2, runs=2).wall_seconds
    assert seconds.low >= 0.2
    assert measure(time.sleep, 0.2, runs=1).cpu_seconds.median < 0.1


def test_keywords_travel_and_runs_are_counted():
    result = measure(spike, 1, seconds=0, runs=5)
    assert isinstance(result, Result)
    assert (result.status, result.method, result.multiplier) == ("ok", "spike", None)
    assert len(result.time_runs) == 5
    assert len(result.memory_runs) == runner.MEMORY_RUNS
    with pytest.raises(ValueError, match="at least 1"):
        measure(nothing, runs=0)


def test_a_closure_travels_too():
    size_mib = 3
    assert measure(lambda: bytes(size_mib * MIB), runs=1).status == "ok"


@pytest.mark.parametrize(
    ("function", "status", "message"),
    [
        (fail, "raised", "raised KeyError: 'voxel'"),
        (segfault, "crashed", "its interpreter was ended by SIGSEGV"),
        (ended_by_itself, "crashed", "its interpreter ended with 3"),
    ],
)
def test_each_end_has_its_status_and_sentence(function, status, message):
    result = measure(function, runs=2)
    assert (result.status, result.message) == (status, message)
    assert result.time_runs == result.memory_runs == ()


def test_a_run_that_passes_its_time_limit_is_stopped():
    before = children()
    outcome = runner.run_once(runner.order("time", endless), time_limit=1.0)
    assert outcome == runner.Failure("stopped", "stopped after its time limit of 1 s")
    assert children() <= before


def test_a_process_that_a_method_leaves_running_is_ended():
    started = time.monotonic()
    assert measure(leave_a_daemon, runs=1).status == "ok"
    assert time.monotonic() - started < 60
    left = [p for p in psutil.process_iter(["cmdline"]) if "time.sleep(600)" in str(p.info)]
    assert not left


def test_what_a_method_prints_does_not_disturb_the_answer():
    assert measure(chatty, runs=1).status == "ok"


def test_what_cannot_travel_is_an_error_that_says_so():
    with pytest.raises(MethodError, match="cannot be sent to a fresh interpreter"):
        measure(len, threading.Lock())


def test_a_kill_of_the_runner_ends_its_workers_at_once(tmp_path):
    mark = tmp_path / "worker"
    source = (
        "import os, sys, time\n"
        "from benchmarks import measure\n"
        "def work(path):\n"
        "    with open(path, 'w') as file: file.write(str(os.getpid()))\n"
        "    time.sleep(600)\n"
        "measure(work, sys.argv[1])\n"
    )
    before = set(os.listdir("/tmp"))
    process = subprocess.Popen([sys.executable, "-c", source, mark])
    deadline = time.monotonic() + 60
    while not (mark.exists() and mark.read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
    worker = psutil.Process(int(mark.read_text()))
    process.send_signal(signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs([worker], timeout=10)
    assert not alive or worker.status() == psutil.STATUS_ZOMBIE
    assert set(os.listdir("/tmp")) <= before


def test_missing_runs_begin_with_the_memory():
    assert runner.missing(Result("t", "m"), 2) == ["memory", "time", "memory", "time"]
    result = measure(nothing, runs=2)
    assert runner.missing(result, 2) == []
    assert runner.missing(result, 4) == ["memory", "time", "time"]
