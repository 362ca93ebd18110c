"""Workers that a call starts, and those that the one before has left."""

import subprocess
import sys
import textwrap
import time

import pytest
from pss import pss_bytes

from benchmarks import measure
from benchmarks.gauge import conditions
from benchmarks.units import MIB

pytestmark = pytest.mark.alone

#: Two workers that import NumPy and hold a block each until both have one.
CALL = """
from pathlib import Path
import tempfile, time

def hold(meeting, index):
    import numpy as np
    block = np.ones(100 << 20, np.uint8)
    (Path(meeting) / str(index)).touch()
    while len(list(Path(meeting).iterdir())) < 2:
        time.sleep(0.001)
    time.sleep(0.3)
    return int(block[0])

def call():
    from joblib import Parallel, delayed
    with tempfile.TemporaryDirectory() as meeting:
        return Parallel(n_jobs=2)(delayed(hold)(meeting, index) for index in range(2))
"""


def call_of(source):
    names = {}
    exec(textwrap.dedent(source), names)  # noqa: S102 - the same text is a script below
    return names["call"]


def seen_from_outside(script):
    """Run a script, and return the most that its processes held, read every 5 ms."""
    process, most = subprocess.Popen([sys.executable, str(script)]), 0
    while process.poll() is None:
        most = max(most, pss_bytes(process.pid))
        time.sleep(0.005)
    assert process.returncode == 0
    return most


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(
        f"import benchmarks.runner.worker, joblib\n{CALL}\nif __name__ == '__main__': call()"
    )
    return path


def test_all_memory_of_a_cold_call_is_what_an_observer_sees(script):
    cold = measure(call_of(CALL), runs=1, cold_workers=True)
    outside = seen_from_outside(script)
    assert cold.status == "ok", cold.message
    assert cold.whole_bytes.median == pytest.approx(outside, rel=0.02)
    # Warm, the workers are there before the call; together it is the same.
    warm = measure(call_of(CALL), runs=1)
    assert warm.whole_bytes.median == pytest.approx(outside, rel=0.05)
    assert warm.peak_bytes.median == pytest.approx(200 * MIB, abs=MIB)
    assert cold.peak_bytes.median > warm.peak_bytes.median + 20 * MIB


def test_the_time_of_a_cold_call_has_the_start_of_its_workers():
    cold, warm = (measure(call_of(CALL), runs=1, cold_workers=c) for c in (True, False))
    assert cold.cpu_seconds.median > warm.cpu_seconds.median


def start_and_end():
    import psutil
    from dask.distributed import Client, LocalCluster

    def count():
        return len(psutil.Process().children(recursive=True))

    call_of(CALL)()
    Client(LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None))
    assert count() > 3
    conditions.end_workers()
    deadline = time.monotonic() + 10
    while count() > 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert count() <= 2  # trackers of files end with this process
    conditions.end_workers()  # there is none any more


def test_workers_of_joblib_and_of_dask_are_ended():
    found = measure(start_and_end, runs=1)
    assert found.status == "ok", found.message
