"""Many images: the ways agree, and go on when an image, a worker or its memory fails."""

import json
import os
import re
import runpy
import subprocess
import sys
import tempfile
import textwrap
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner
from conftest import save_run

from benchmarks import __main__ as command_line
from benchmarks.comparisons import cluster
from benchmarks.errors import ClusterError, MethodError
from benchmarks.files import DOC, EXAMPLES
from benchmarks.gauge.readings import MemoryRun, TimeRun
from benchmarks.results.result import Result
from benchmarks.sphinxext import growth
from benchmarks.tasks.agreement import Returned
from benchmarks.tasks.chapter import MANY_IMAGES as MANY
from benchmarks.units import MIB

OBSERVED = (MANY.sent, MANY.sent_images, MANY.broken)
EXAMPLE = EXAMPLES / "plot_many_images.py"
LOCAL = {"loop_paths", "loop_images", "joblib_paths", "joblib_images"}


def definitions():
    return runpy.run_path(str(EXAMPLE), run_name="definitions")


def script(source, *arguments, seconds=120):
    """Run lines in an interpreter of their own, since Dask changes the one it is started in."""
    lines = f"""
        import json, os, pathlib, runpy, signal, sys, threading, time
        import numpy as np
        here = runpy.run_path({str(EXAMPLE)!r}, run_name="definitions")
        choices = here["in_workers"].__globals__
        paths = sys.argv[1:]
    """
    code = textwrap.dedent(lines) + textwrap.dedent(source)
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=os.environ | {"TMPDIR": str(Path(arguments[0]).parent)},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def paths(tmp_path):
    """Make runs that differ."""
    made = []
    for number in range(4):
        path = save_run(tmp_path / f"run-{number}.nii.gz", slope=1.0 + number)
        made.append(str(path))
    return made


@pytest.fixture
def long_paths(tmp_path):
    """Make runs that take some time, all different."""
    noise = np.random.default_rng(7)
    made = []
    for number in range(12):
        values = noise.integers(0, 2000, (40, 40, 20, 120)).astype(np.int16)
        path = tmp_path / f"long-{number:02}.nii.gz"
        nib.save(nib.Nifti1Image(values, np.eye(4)), path)
        made.append(str(path))
    return made


def test_the_function_computes_what_it_says(paths, tmp_path):
    work = definitions()["mean_and_signals"]
    mean_path, signals_path = tmp_path / "mean.nii", tmp_path / "signals.npy"
    signals = work(paths[0], mean_path, signals_path)
    np.testing.assert_array_equal(signals, np.load(signals_path))
    data = nib.load(paths[0]).get_fdata()
    np.testing.assert_allclose(nib.load(mean_path).get_fdata(), data.mean(axis=-1), rtol=1e-6)
    np.testing.assert_allclose(nib.load(mean_path).affine, nib.load(paths[0]).affine)
    first = data[..., 0].T.ravel()
    regions = np.array_split(np.flatnonzero(first > first.mean()), 3)
    flat = data.T.reshape(data.shape[3], -1)
    expected = [[values[region].mean() for region in regions] for values in flat]
    np.testing.assert_allclose(signals, expected, rtol=1e-5)


@pytest.mark.parametrize("name", sorted(LOCAL))
def test_a_broken_image_is_named_and_the_others_come_through(paths, name):
    here = definitions()
    expected = here["loop_paths"](paths)
    half, text, gone = (paths[0].replace("run-0", name) for name in ("half", "text", "gone"))
    whole = Path(paths[0]).read_bytes()
    Path(half).write_bytes(whole[: len(whole) // 2])
    Path(text).write_text("no image")
    given = [half, *paths[:2], text, gone, *paths[2:]]
    results = here[name](given)
    assert set(here["failures"](given, results)) == {half, text, gone}
    for one, other in zip(expected, [results[place] for place in (1, 2, 5, 6)], strict=True):
        np.testing.assert_array_equal(one, other)


def test_on_dask_a_broken_image_is_named_too_and_all_ways_agree(paths):
    found = script(
        """
        if __name__ == "__main__":
            expected = here["loop_paths"](paths)
            for name in ("dask_paths", "dask_images"):
                results = here[name](paths)
                assert all(map(np.array_equal, expected, results)), name
            print(json.dumps(here["one_is_broken"](paths)))
            here["connected"]().shutdown()
        """,
        *paths,
    )
    assert found == [4, ["broken"]]


def names(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def times(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.n*")}


@pytest.mark.parametrize("name", sorted(LOCAL))
def test_nothing_is_written_beside_the_runs_and_a_second_call_goes_on(paths, tmp_path, name):
    raw, folder = names(tmp_path), tmp_path / "results"
    here = definitions()
    results = here[name](paths, folder)
    assert names(tmp_path) == sorted([*raw, "results"])
    stems = {Path(path).name.partition(".")[0] for path in paths}
    assert {path.name.partition("-")[0] for path in folder.iterdir()} == {"run"}
    assert {path.name.rpartition("-")[0] for path in folder.iterdir()} == stems
    assert len(names(folder)) == 2 * len(paths)
    before = times(folder)
    (lost,) = folder.glob("run-2-*_signals.npy")
    lost.unlink()
    again = here[name](paths, folder)
    for one, other in zip(results, again, strict=True):
        np.testing.assert_array_equal(one, other)
    after = times(folder)
    assert {name for name in after if after[name] != before[name]} == {
        lost.name,
        lost.name.replace("_signals.npy", "_mean.nii"),
    }


def test_a_run_that_was_replaced_is_done_anew_and_one_of_the_same_name_is_another(paths, tmp_path):
    here, folder = definitions(), tmp_path / "results"
    namesake = tmp_path / "other" / Path(paths[0]).name
    namesake.parent.mkdir()
    save_run(namesake, slope=9.0)
    one, other = here["loop_paths"]([paths[0], namesake], folder)
    np.testing.assert_allclose(other, one * 9, rtol=1e-6)
    save_run(paths[0], slope=3.0)
    (changed,) = here["loop_paths"](paths[:1], folder)
    np.testing.assert_allclose(changed, one * 3, rtol=1e-6)


HUNG = """
    choices["IMAGE_SECONDS"] = 4
    if __name__ == "__main__":
        expected = here["loop_paths"](paths[1:])
        results = here[WAY](paths[1:3] + paths[:1] + paths[3:])
        late = results.pop(2)
        assert all(map(np.array_equal, expected, results))
        print(json.dumps([type(late).__name__, str(late)]))
        if WAY == "dask_paths":
            here["connected"]().shutdown()
"""


@pytest.mark.parametrize("way", ["joblib_paths", "dask_paths"])
def test_a_run_that_hangs_is_reported_and_the_others_come_through(paths, tmp_path, way):
    hanging = tmp_path / "hanging.nii"
    os.mkfifo(hanging)  # whoever opens it waits for a writer
    kind, said = script(HUNG.replace("WAY", repr(way)), hanging, *paths)
    assert kind == "TimeoutError"
    assert said.startswith("A run did not come back in ")


KILLED = """
    folder = pathlib.Path(paths[0]).with_name("results")
    expected = here["loop_paths"](paths)
    seen = {}

    def done():
        return len(list(folder.glob("*_signals.npy")))

    def kill(pids):
        while not done():
            time.sleep(0.001)
        seen["done"] = done()
        os.kill(pids[0], signal.SIGKILL)
"""


@pytest.mark.alone
def test_a_killed_worker_of_dask_changes_no_result(long_paths):
    found = script(
        textwrap.dedent(KILLED)
        + textwrap.dedent("""
        client = here["connected"]()
        pids = list(client.run(os.getpid).values())
        killer = threading.Thread(target=kill, args=(pids,))
        killer.start()
        results = here["dask_paths"](paths, folder)
        killer.join()
        after = list(client.run(os.getpid).values())
        equal = all(map(np.array_equal, expected, results))
        client.shutdown()
        print(json.dumps([equal, seen["done"], pids[0] in after]))
        """),
        *long_paths,
    )
    equal, done, alive = found
    assert equal
    assert not alive
    assert 0 < done < len(long_paths)  # it was in the middle of the work


@pytest.mark.alone
def test_a_killed_process_of_joblib_changes_no_result(long_paths):
    found = script(
        textwrap.dedent(KILLED)
        + textwrap.dedent("""
        import psutil

        here["joblib_paths"](paths[:2])
        children = psutil.Process().children(recursive=True)
        pids = [child.pid for child in children if "--process-name" in child.cmdline()]
        killer = threading.Thread(target=kill, args=(pids,))
        killer.start()
        results = here["joblib_paths"](paths, folder)
        killer.join()
        equal = all(map(np.array_equal, expected, results))
        print(json.dumps([equal, seen["done"], psutil.pid_exists(pids[0])]))
        """),
        *long_paths,
    )
    equal, done, alive = found
    assert equal
    assert not alive
    assert 0 < done < len(long_paths)  # it was in the middle of the work


def test_a_run_that_ends_its_worker_is_named_and_the_others_come_through(paths):
    found = script(
        """
        work = choices["mean_and_signals"]

        def deadly(run, *others):
            if run == paths[1]:
                os.kill(os.getpid(), signal.SIGKILL)
            return work(run, *others)

        expected = here["loop_paths"](paths)
        choices["mean_and_signals"] = deadly
        results = here["joblib_paths"](paths)
        same = [np.array_equal(*pair) for pair in zip(expected, results)]
        print(json.dumps([same, type(results[1]).__name__]))
        """,
        *paths,
    )
    assert found == [[True, False, True, True], "TerminatedWorkerError"]


# There is one run: when joblib finds a single worker, since the other is just being started again,
# it does the work itself.
def test_a_run_that_needs_more_memory_than_its_worker_may_hold_ends_in_a_sentence(tmp_path):
    large = save_run(tmp_path / "large.nii", shape=(64, 64, 40, 200))  # 125 MiB as float32
    (said,) = script(
        """
        work = choices["mean_and_signals"]

        def slow(*given):
            time.sleep(1)  # Dask looks at the memory ten times a second
            return work(*given)

        choices["mean_and_signals"] = slow
        choices["WORKER_BYTES"] = 150 * 2**20
        choices["IMAGE_SECONDS"] = 6
        results = here["dask_images"](paths)
        here["connected"]().shutdown()
        print(json.dumps(list(map(str, results))))
        """,
        large,
    )
    assert said.startswith("A run did not come back in ")
    assert "Its worker may need more memory." in said


def test_what_the_package_says_of_the_example_is_true():
    here = definitions()
    names = {f.__name__ for group in here["METHODS"] for f in group}
    assert {MANY.two_workers, *OBSERVED, *MANY.on_cluster} <= names
    assert here["ON_DASK"][2].__name__ == MANY.two_workers
    assert (EXAMPLE.stem, here["FORM"]) == (f"plot_{MANY.task}", MANY.form)


def test_as_many_signals_come_back_as_are_counted(paths):
    signals = definitions()["loop_paths"](paths[:1])[0]
    assert signals.shape == (nib.load(paths[0]).shape[3], MANY.signals)
    assert signals.dtype == np.float64


@pytest.fixture
def scheduler(tmp_path):
    """Start a scheduler and no worker; give its address, and what starts workers."""
    file = tmp_path / "scheduler.json"
    running = []

    def start(*words):
        command = [sys.executable, "-m", "dask", *words]
        env = os.environ | {"TMPDIR": str(tmp_path)}
        running.append(subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL))

    start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
          "--scheduler-file", str(file))  # fmt: skip
    deadline = time.monotonic() + 30
    while not (file.exists() and file.read_text().endswith("}")) and time.monotonic() < deadline:
        time.sleep(0.05)  # it is written in several parts
    address = json.loads(file.read_text())["address"]

    def workers(count):
        for _ in range(count):
            start("worker", address, "--nthreads", "1", "--memory-limit", "1GiB",
                  "--no-dashboard", "--local-directory", str(tmp_path))  # fmt: skip
        from distributed import Client

        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=30)

    yield SimpleNamespace(address=address, workers=workers)
    for process in reversed(running):
        process.terminate()
    for process in running:
        process.wait(20)


def run(*words):
    return CliRunner().invoke(command_line.main, ["run", *words], catch_exceptions=False)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_task_runs_on_a_scheduler_with_two_workers(scheduler, tmp_path, monkeypatch):
    path = save_run(tmp_path / "sub-01_bold.nii.gz", shape=(24, 24, 12, 20))
    with pytest.raises(ClusterError, match="has no worker"):
        cluster.check(scheduler.address)
    scheduler.workers(2)
    cluster.check(scheduler.address)
    with monkeypatch.context() as patched:
        unseen = SimpleNamespace(name="/nowhere/a-file")
        patched.setattr(tempfile, "NamedTemporaryFile", lambda: nullcontext(unseen))
        with pytest.raises(ClusterError, match=r"does not see .*Set TMPDIR"):
            cluster.check(scheduler.address)
    with monkeypatch.context() as patched:
        patched.setattr(cluster, "MANY_IMAGES", replace(MANY, packages=("no-such-package",)))
        with pytest.raises(ClusterError, match="no-such-package is not installed where tcp://"):
            cluster.check(scheduler.address)
    target = tmp_path / "mine.json"
    done = run("many_images", str(path), "--scheduler", scheduler.address, "--runs", "1",
               "--json", str(target))  # fmt: skip
    assert done.exit_code == 0, done.output
    assert f"Dask's workers are those of {scheduler.address}." in done.output
    results = {entry["method"]: entry for entry in json.loads(target.read_text())["results"]}
    assert set(results) == {*MANY.on_cluster, *OBSERVED}
    assert not {entry.get("message") for entry in results.values()} - {None}
    assert results["one_is_broken"]["returned"]["text"] == "(4, ['broken'])"
    assert results["kilobytes_with_paths"]["returned"]["sample"][0] < 10
    sent = results["kilobytes_with_images"]["returned"]["sample"][0]
    voxels = 24 * 24 * 12 * 20
    assert sent * 1000 > voxels * 4


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense"])
def test_a_scheduler_that_does_not_answer_is_a_sentence(address, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    with pytest.raises(ClusterError, match=f"No Dask scheduler answers at {address}: "):
        cluster.check(address)


def test_without_dask_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match=r"pip install 'dask\[distributed\]'"):
        cluster.check("tcp://127.0.0.1:9")


def test_other_tasks_are_not_measured_on_a_scheduler(fmri_path):
    with pytest.raises(MethodError, match="Only many_images is measured on a scheduler"):
        run("load", str(fmri_path), "--scheduler", "tcp://127.0.0.1:9")


def test_the_lines_for_slurm_make_a_job(tmp_path):
    text = (DOC / "many_images.rst").read_text()
    (lines,) = re.findall(
        r"\n(   from dask.distributed import Client\n   from .*?)\n\S", text, re.DOTALL
    )
    assert "client = Client(cluster)" in lines
    code = textwrap.dedent(lines).partition("cluster.scale")[0]
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nprint(cluster.job_script())\ncluster.close()"],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert "#SBATCH --mem=1G" in done.stdout, done.stderr
    exported = f"export MALLOC_TRIM_THRESHOLD_={2**26} MALLOC_MMAP_THRESHOLD_={2**25}"
    assert exported in done.stdout
    for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"):
        setting = definitions()["DASK"][f"distributed.nanny.pre-spawn-environ.{name}"]
        assert f"{name}={setting}" in done.stdout


def test_a_thousand_runs_are_worked_out_from_eight():
    """Eight copies of a run of 10 MiB are measured; the run of the site is ten times as long."""
    time, memory = TimeRun(4.0, 0, 0), MemoryRun(50 * MIB, 0, 120 * MIB)
    few, one = SimpleNamespace(raw_bytes=80 * MIB, images=8), SimpleNamespace(
        raw_bytes=100 * MIB, images=1, volumes=100, name="bold.nii"
    )  # fmt: skip
    returned = {MANY.sent: 3.0, MANY.sent_images: 10_000.0}

    def find(task, method):
        assert task == "many_images@images4"
        value = Returned("float", sample=(returned.get(method, 0.0),), text="a number")
        runs = {"time_runs": (time,), "memory_runs": (memory,), "returned": value}
        return Result(task, method, images=8, **runs)

    site = SimpleNamespace(data=one, data_of=lambda _: few, find=find)
    rows = {
        name: [cell.replace("\N{NO-BREAK SPACE}", " ") for cell in cells]
        for name, *cells in growth.table(site, [1000]).texts
    }
    # Half a second a run, ten times for the longer one.
    assert rows["time"] == ["5.00 s", "1 h 23 min"]
    assert rows["memory, with the signals that come back"] == ["170 MiB", "172 MiB"]
    assert rows["sent to workers, as paths"] == ["2.93 KiB", "2.86 MiB"]
    assert rows["sent to workers, as loaded images"] == ["95.4 MiB", "93.1 GiB"]
