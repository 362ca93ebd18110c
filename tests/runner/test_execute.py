import ctypes
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import nibabel as nib
import numpy as np
import psutil
import pytest
from conftest import children, save_run
from joblib import Parallel, delayed

from benchmarks import Result, measure
from benchmarks.errors import MethodError
from benchmarks.gauge import conditions
from benchmarks.runner import execute, known_calls, launch, schedule
from benchmarks.runner.launch import prepare
from benchmarks.runner.order import Batch, Order
from benchmarks.runner.schedule import Bounds
from benchmarks.units import MIB

pytestmark = pytest.mark.alone

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
    assert (result.status, result.method, result.multiplier.values) == ("ok", "spike", ())
    assert 5 <= len(result.time_runs) <= schedule.MOST_TIME_RUNS
    assert len(result.memory_runs) == schedule.AGREEING_RUNS
    with pytest.raises(MethodError, match="at least 1"):
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


def endless_memory():
    blocks = []
    while True:
        blocks.append(np.ones(16 * MIB, np.uint8))


def leave_shared_memory():
    from multiprocessing.shared_memory import SharedMemory

    block = SharedMemory(create=True, size=MIB)
    Path(os.environ["JOBLIB_TEMP_FOLDER"], "file").write_bytes(bytes(MIB))
    Path(tempfile.gettempdir(), "file").write_bytes(bytes(MIB))
    block.buf[0] = 1
    os.kill(os.getpid(), signal.SIGSEGV)


def leave_shared_memory_and_hang():
    from multiprocessing.shared_memory import SharedMemory

    block = SharedMemory(create=True, size=MIB)
    block.buf[0] = 1
    time.sleep(600)


def be_killed_while_workers_are_busy():
    from joblib.externals.loky import get_reusable_executor

    executor = get_reusable_executor(2)
    executor.submit(busy, 0).result()
    executor.submit(busy, 600)
    os.kill(os.getpid(), signal.SIGKILL)


def in_a_worker():
    from joblib import Parallel, delayed

    return sum(Parallel(n_jobs=2)(delayed(busy)(0.5) for _ in range(2)))


def busy(seconds):
    """Use the processor for so long."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return 1


@pytest.mark.parametrize(
    ("function", "bounds", "status", "message"),
    [
        (endless, Bounds(seconds=1), "over time", "stopped after its time limit of 1 s"),
        (
            endless_memory,
            Bounds(memory_bytes=200 * MIB),
            "over memory",
            "stopped when it held more than its memory limit of 200 MiB",
        ),
        (
            leave_a_daemon,
            Bounds(),
            "left running",
            "left processes running when it was done; they were ended",
        ),
        (
            leave_shared_memory,
            Bounds(),
            "crashed",
            "its interpreter was ended by SIGSEGV",
        ),
        (
            leave_shared_memory_and_hang,
            Bounds(seconds=2),
            "over time",
            "stopped after its time limit of 2 s",
        ),
        (
            be_killed_while_workers_are_busy,
            Bounds(),
            "crashed",
            "its interpreter was ended by SIGKILL",
        ),
        (fail, Bounds(), "raised", "raised KeyError: 'voxel'"),
    ],
)
def test_whatever_a_method_does_it_leaves_nothing(function, bounds, status, message):
    before, helpers = places(), children()
    result = measure(function, bounds=bounds)
    launch.end_templates()
    assert result.status == status
    assert result.message.replace("\N{NO-BREAK SPACE}", " ").startswith(message)
    assert children() <= helpers
    assert left_since(before) == set()
    left = [p for p in psutil.process_iter(["cmdline"]) if "time.sleep(600)" in str(p.info)]
    assert not left


def places():
    """Return what is in the folders that methods leave things in."""
    return {path for name in ("/dev/shm", os.environ["TMPDIR"]) for path in Path(name).iterdir()}


def left_since(before):
    """Return what is new in these folders."""
    return {path for path in places() - before if not is_of_another(path)}


def is_of_another(path):
    """Tell whether it is of a keeper, or of joblib's workers, at work for somebody else here."""
    owner = re.match(r"(?:fmri-bench|sem\.loky)-(\d+)-", path.name)
    return bool(owner) and int(owner[1]) in psutil.pids()


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.mktemp("temporary")))


def shared_by_many(size_mib):
    known_calls.two_workers_share(size_mib, 0.2)


def test_pages_that_are_shared_count_once_for_the_memory_limit():
    # Parent and two workers map 200 MiB each, which is the same 200 MiB.
    outcome = execute.carry_out(
        prepare(Order(shared_by_many, ((200,),), Batch(memory=1))), Bounds(memory_bytes=500 * MIB)
    )
    assert isinstance(outcome, execute.Outcome), outcome


def test_a_kill_by_the_kernel_is_told_from_others(monkeypatch):
    kills = iter([5, 6])
    monkeypatch.setattr(execute, "_kernel_kills", lambda: next(kills))

    def ended():
        os.kill(os.getpid(), signal.SIGKILL)

    result = measure(ended)
    assert (result.status, result.message) == (
        "killed",
        "ended by the kernel, which had no memory left",
    )


def test_cpu_time_of_workers_is_counted():
    cpu = measure(in_a_worker, runs=1)
    assert cpu.time_runs[0].children_cpu_seconds == pytest.approx(1.0, rel=0.05, abs=0.02)
    assert cpu.time_runs[0].cpu_seconds < 0.3


def test_a_short_call_is_repeated_and_its_overhead_taken_off():
    result = measure(nothing, runs=1)
    assert result.time_runs[0].calls > 100
    assert result.wall_seconds.median < 5e-6
    slept = measure(time.sleep, 0.001, runs=1)
    assert slept.time_runs[0].calls > 10
    assert slept.wall_seconds.median >= 0.001
    assert measure(time.sleep, 0.02, runs=1).time_runs[0].calls == 1


def test_a_noisy_result_gets_more_runs_up_to_a_bound(tmp_path):
    count = tmp_path / "count"

    def uneven(path):
        with path.open("a") as file:
            file.write("x")
        time.sleep(0.01 * (1 + path.stat().st_size % 7))

    result = measure(uneven, count, runs=2)
    assert len(result.time_runs) == schedule.MOST_TIME_RUNS
    assert result.noise


def test_a_cold_cache_is_made_checked_and_recorded():
    path = Path(__file__).resolve().parent / f".cold-{os.getpid()}"  # /tmp may be in memory
    path.write_bytes(os.urandom(8 * MIB))
    try:

        def cached_before_reading(name):
            descriptor = os.open(name, os.O_RDONLY)
            try:
                fraction = conditions.cached_fraction(descriptor)
                os.pread(descriptor, 8 * MIB, 0)
            finally:
                os.close(descriptor)
            return fraction

        order = Order(cached_before_reading, ((str(path),),), Batch(memory=1), reduced=True)
        outcome = execute.carry_out(prepare(replace(order, cold_paths=(str(path),))))
        assert outcome.returned[-1].sums[0] <= conditions.COLD_FRACTION
        outcome = execute.carry_out(prepare(order))
        # The system may drop a page again when it needs the memory.
        assert outcome.returned[-1].sums[0] >= 0.9
        result = measure(cached_before_reading, str(path), runs=1, cache="cold")
        assert (result.cache, result.status) == ("cold", "ok")
        assert result.time_runs[0].calls == 1
    finally:
        path.unlink()


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="there is no file system in memory")
def test_a_file_that_cannot_be_made_cold_is_an_error():
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        file.write(bytes(MIB))
        file.flush()
        result = measure(os.path.getsize, file.name, cache="cold")
    assert result.status == "stays warm"
    assert "cannot be dropped from the page cache" in result.message


def test_wall_time_agrees_with_the_bare_function():
    outcome = execute.carry_out(prepare(Order(lambda: time.sleep(0.3), ((),), Batch(time=1))))
    assert 0.3 <= outcome.runs[0].wall_seconds < 0.4


def test_what_a_method_prints_does_not_disturb_the_answer():
    assert measure(chatty, runs=1).status == "ok"


def test_what_cannot_travel_is_an_error_that_says_so():
    with pytest.raises(MethodError, match="cannot be sent to another process"):
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
    before = places()
    process = subprocess.Popen([sys.executable, "-c", source, mark])
    deadline = time.monotonic() + 60
    while not (mark.exists() and mark.read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
    worker = psutil.Process(int(mark.read_text()))
    process.send_signal(signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs([worker], timeout=10)
    assert not alive or worker.status() == psutil.STATUS_ZOMBIE
    while left_since(before) and time.monotonic() < deadline:
        time.sleep(0.01)  # the keeper removes folders after it has ended the worker
    assert left_since(before) == set()


def test_runs_of_one_interpreter_are_kept_apart():
    result = measure(os.getpid, runs=5)
    assert len(result.memory_runs) == schedule.AGREEING_RUNS
    assert len(result.time_runs) in (5, schedule.MOST_TIME_RUNS)
    assert result.returned.text.isdigit()


def two_arrays():
    return [np.ones((2, 3)), np.zeros((2, 3))]


def test_what_a_list_holds_is_compared_too():
    returned = measure(two_arrays, runs=1).returned
    assert (returned.kind, returned.shape) == ("array", (2, 2, 3))
    assert returned.sample == (1.0,) * 6 + (0.0,) * 6


def sees_indexed_gzip():
    from joblib import Parallel, delayed
    from nibabel import _compression

    def seen():
        from nibabel import _compression

        return _compression.HAVE_INDEXED_GZIP

    return [_compression.HAVE_INDEXED_GZIP, *Parallel(n_jobs=2)(delayed(seen)() for _ in "ab")]


def names_indexed_gzip():
    import indexed_gzip

    assert indexed_gzip.IndexedGzipFile
    return sees_indexed_gzip()


def test_indexed_gzip_is_there_only_for_methods_that_name_it():
    assert measure(sees_indexed_gzip, runs=1).returned.text == "[False, False, False]"
    assert measure(names_indexed_gzip, runs=1).returned.text == "[True, True, True]"


def grow_then_share():
    block = np.ones(40 * MIB, np.uint8)
    memory = SharedMemory(create=True, size=30 * MIB)
    np.ndarray((30 * MIB,), np.uint8, memory.buf)[:] = 1
    Parallel(n_jobs=2)(delayed(read_shared)(memory.name) for _ in range(2))
    memory.close()
    memory.unlink()
    return int(block[0])


def read_shared(name):
    memory = SharedMemory(name)
    pages = np.ndarray((30 * MIB,), np.uint8, memory.buf)
    for start in range(0, pages.size, MIB):
        int(pages[start : start + MIB].sum())
        time.sleep(0.001)
    del pages
    memory.close()


def test_shared_memory_that_is_being_mapped_counts_once_and_in_its_part():
    for run in measure(grow_then_share, runs=3).memory_runs:
        assert abs(run.shmem_bytes - 30 * MIB) < MIB
        assert abs(run.peak_bytes - 70 * MIB) < 3 * MIB
        assert run.private_bytes + run.shared_bytes + run.shmem_bytes == run.peak_bytes


@pytest.mark.parametrize(("warm_each", "calls"), [(True, "aabb"), (False, "aab")])
def test_every_call_is_made_once_before_or_the_first_alone(warm_each, calls, tmp_path):
    path = tmp_path / "calls"

    def note(letter):
        with path.open("a") as file:
            file.write(letter)

    order = Order(note, (("a",), ("b",)), Batch(memory=1), warm_each=warm_each)
    execute.carry_out(prepare(order))
    assert path.read_text() == calls


def opened(path):
    return nib.load(path)


def test_what_is_looked_up_in_a_proxy_image_is_no_need_of_the_method(tmp_path):
    path = str(save_run(tmp_path / "bold.nii", shape=(64, 64, 40, 200)))  # 62.5 MiB
    found = measure(opened, path, runs=1, bounds=Bounds(memory_bytes=120 * MIB))
    assert found.status == "ok", found.message
    assert found.peak_bytes.median < MIB


def test_a_cold_cache_needs_a_file_and_another_word_is_refused(tmp_path):
    with pytest.raises(MethodError, match="No argument is the path of a file"):
        measure(nothing, cache="cold")
    with pytest.raises(MethodError, match="cache is 'Cold'; it can be warm or cold"):
        measure(nothing, cache="Cold")
    paths = [save_run(tmp_path / "a.nii"), save_run(tmp_path / "b.nii")]
    assert launch.files_of(1, paths) == tuple(map(str, paths))
