import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from conftest import save_run

from benchmarks import compare, compare_forms
from benchmarks.comparisons import compare as comparing
from benchmarks.errors import DataError, DisagreementError
from benchmarks.files import PROJECT
from benchmarks.gauge import conditions
from benchmarks.images import choose
from benchmarks.images.workspace import Workspace
from benchmarks.results import provenance
from benchmarks.runner import execute

SOURCE = """
import nibabel as nib
import numpy as np

def first(fmri_path):
    return np.asanyarray(nib.load(fmri_path).dataobj)

def second(fmri_path):
    return nib.load(fmri_path).get_fdata()

METHODS = [first, second]
"""


@pytest.fixture(autouse=True)
def _quiet_machine(monkeypatch):
    """Have the number of runs not depend on how noisy the machine is."""
    plt.switch_backend("agg")
    monkeypatch.setattr("benchmarks.results.result.NOISY_FROM", float("inf"))


@pytest.fixture
def started(monkeypatch):
    """Count the workers that are started."""
    count = []
    original = execute.carry_out

    def counted(*args, **kwargs):
        count.append(args)
        return original(*args, **kwargs)

    monkeypatch.setattr(execute, "carry_out", counted)
    return count


def test_every_method_is_measured_and_then_reused(example, fmri_path, started):
    methods = example(SOURCE)
    comparison = compare(methods, fmri_path, runs=2)
    assert [result.method for result in comparison.results] == ["first", "second"]
    assert len(started) == 2 * 2
    again = compare(methods, fmri_path, runs=2)
    assert len(started) == 2 * 2
    assert again.results == comparison.results


def test_runs_of_methods_take_turns(example, fmri_path, monkeypatch):
    turns = []
    original = comparing.progress.Meter.starting
    monkeypatch.setattr(
        comparing.progress.Meter,
        "starting",
        lambda meter, name: (turns.append(name), original(meter, name))[1],
    )
    compare(example(SOURCE), fmri_path, runs=5)
    assert turns == ["first", "second"] * 3


def test_an_edited_method_is_measured_alone(example, fmri_path, started):
    compare(example(SOURCE), fmri_path, runs=1)
    started.clear()
    compare(
        example(SOURCE.replace(".get_fdata()", ".get_fdata(caching='unchanged')")),
        fmri_path,
        runs=1,
    )
    assert len(started) == 1
    started.clear()
    compare(example("# A comment.\n" + SOURCE), fmri_path, runs=1)
    assert len(started) == 1  # back to the first text: the stored one is of the edited code


def test_a_comment_measures_nothing(example, fmri_path, started):
    compare(example(SOURCE), fmri_path, runs=1)
    started.clear()
    compare(
        example(SOURCE.replace("    return nib", "    # Why.\n    return nib")), fmri_path, runs=1
    )
    assert not started


def test_more_runs_add_the_missing_ones(example, fmri_path, started):
    methods = example(SOURCE)
    first = compare(methods, fmri_path, runs=1).results[0]
    started.clear()
    more = compare(methods, fmri_path, runs=2).results[0]
    assert len(started) == 2
    assert more.time_runs[:1] == first.time_runs


def test_fresh_and_another_file_measure_again(example, fmri_path, started, monkeypatch):
    methods = example(SOURCE)
    before = compare(methods, fmri_path, runs=1)
    monkeypatch.setenv("FRESH", "1")
    after = compare(methods, fmri_path, runs=1)
    assert len(started) == 2 * 2
    assert len(after.results[0].time_runs) == len(before.results[0].time_runs)
    monkeypatch.delenv("FRESH")
    copy = fmri_path.with_name("copy.nii.gz")
    copy.write_bytes(fmri_path.read_bytes()[:-1] + b"\0")
    fmri_path.with_name("same.nii.gz").write_bytes(fmri_path.read_bytes())
    monkeypatch.setattr(choose, "check", lambda _image: None)
    compare(methods, copy, runs=1)
    assert len(started) == 3 * 2


def test_other_versions_measure_again(example, fmri_path, started, monkeypatch):
    methods = example(SOURCE)
    compare(methods, fmri_path, runs=1)
    here = provenance.installed_packages()
    monkeypatch.setattr(provenance, "installed_packages", lambda: here | {"nilearn": "0.0.1"})
    compare(methods, fmri_path, runs=1)
    assert len(started) == 2 * 2


def test_methods_that_disagree_are_refused_and_not_stored(example, fmri_path):
    wrong = SOURCE.replace(".get_fdata()", ".get_fdata() * 1.01")
    with pytest.raises(DisagreementError, match=r"second and first disagree.*0\.0"):
        compare(example(wrong), fmri_path, runs=1)
    store = Workspace.chosen(fmri_path).store
    assert [result.method for result in store.all()] == ["first"]
    compare(example(SOURCE), fmri_path, runs=1)
    with pytest.raises(DisagreementError):
        compare(example(wrong), fmri_path, runs=1)


def test_methods_of_different_lists_may_return_different_things(example, fmri_path):
    wrong = SOURCE.replace(".get_fdata()", ".get_fdata() * 1.01")
    first, second = example(wrong)
    comparison = compare([[first], [second]], fmri_path, runs=1)
    assert [result.status for result in comparison.results] == ["ok", "ok"]


def test_memory_alone_and_another_form_of_the_run_are_measured(example, fmri_path):
    comparison = compare(example(SOURCE), fmri_path, runs=2, timed=False, form="nii")
    assert comparison.data.name.endswith("-nii.nii")
    for result in comparison.results:
        assert (len(result.time_runs), len(result.memory_runs)) == (0, 2)
    assert comparison.observed().rows[0][1].startswith("int16 array of shape")
    assert comparison.parts().headings[-1] == "peak (MiB)"
    assert "–" in str(comparison)
    for figure in (comparison.plot_memory_over_time(), comparison.plot_parts()):
        assert figure.get_suptitle()
    plt.close("all")


def test_files_are_crossed_with_methods(example, fmri_path, monkeypatch):
    monkeypatch.setenv("FMRI", str(fmri_path))
    first, second = example(SOURCE)
    crossing = compare_forms({"nii": [first, second], "nii_gz": [first]}, quantity="peak", runs=1)
    assert crossing.table().headings == ("peak (MiB)", "first", "second")
    assert [row[0] for row in crossing.table().rows] == [".nii", ".nii.gz"]
    assert crossing.table().rows[1][2] == "–"
    assert "<table " in crossing._repr_html_()
    assert "Peak; the run in these forms, 8 x 7 x 6 x 5 voxels." in str(crossing)
    for figure in (crossing.plot_heat(), crossing.plot_lines()):
        assert figure.get_suptitle() == "Peak: my example"
    plt.close("all")


def test_a_method_that_fails_does_not_stop_the_others(example, fmri_path):
    failing = SOURCE.replace("return nib.load(fmri_path).get_fdata()", "raise ValueError('bad')")
    comparison = compare(example(failing), fmri_path, runs=2)
    first, second = comparison.results
    assert (first.status, len(first.time_runs)) == ("ok", 2)
    assert (second.status, second.message) == ("raised", "raised ValueError: bad")
    assert "raised ValueError: bad" in str(comparison)


def test_a_file_that_cannot_be_read_is_refused_before_anything_runs(example, fmri_path, started):
    fmri_path.write_bytes(fmri_path.read_bytes()[:-100])
    with pytest.raises(DataError, match="is damaged"):
        compare(example(SOURCE), fmri_path)
    assert not started


def test_the_table_has_a_row_for_each_method_in_text_and_html(example, fmri_path):
    comparison = compare(example(SOURCE), fmri_path, runs=1)
    lines = str(comparison).splitlines()
    assert lines[0].split()[:2] == ["method", "time"]
    assert [line.split()[0] for line in lines[2:4]] == ["first", "second"]
    assert "8 x 7 x 6 x 5 voxels" in str(comparison)
    markup = comparison._repr_html_()
    assert markup.count("<tr>") == 3
    assert re.search(r'<th scope="row">.*<code>first</code>', markup)


def test_text_of_a_stranger_is_escaped(example, fmri_path):
    hostile = fmri_path.with_name("<script>alert(1)<").with_suffix(".nii.gz")
    hostile.write_bytes(fmri_path.read_bytes())
    markup = compare(example(SOURCE), hostile, runs=1)._repr_html_()
    assert "<script>" not in markup


def test_an_interrupted_comparison_goes_on_where_it_was(example, fmri_path, monkeypatch, started):
    methods = example(SOURCE)
    original = execute.carry_out

    def interrupted(*args, **kwargs):
        if len(started) == 3:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    monkeypatch.setattr(execute, "carry_out", interrupted)
    with pytest.raises(KeyboardInterrupt):
        compare(methods, fmri_path, runs=5)
    monkeypatch.setattr(execute, "carry_out", original)
    compare(methods, fmri_path, runs=5)
    assert len(started) == 6


@pytest.mark.alone
def test_a_kill_at_any_moment_leaves_a_readable_store(example, fmri_path, tmp_path, monkeypatch):
    example(SOURCE)
    script = tmp_path / "my_example.py"
    script.write_text(
        SOURCE + "\nif __name__ == '__main__':\n    import sys\n"
        "    from benchmarks import compare\n    compare(METHODS)\n"
    )
    results = tmp_path / "results"
    monkeypatch.setenv("FMRI_BENCH_RESULTS", str(results))
    monkeypatch.setenv("RUNS", "3")
    finished = 0
    for delay in (1.0, 1.4, 1.9, 2.3):
        process = subprocess.Popen([sys.executable, script, fmri_path], stderr=subprocess.DEVNULL)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        store = Workspace.chosen(fmri_path).store
        runs = sum(len(r.time_runs) + len(r.memory_runs) for r in store.all())
        assert runs >= finished
        finished = runs
        assert {path.suffix for path in results.glob("*")} <= {".json"}
        assert not list(results.glob(".*"))
    assert finished > 0


def test_a_script_takes_its_file_from_the_command_line(tmp_path, fmri_path):
    script = tmp_path / "mine.py"
    script.write_text(
        SOURCE + "\nfrom benchmarks import compare\nprint(compare(METHODS, runs=1))\n"
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def run(*words):
        return subprocess.run(
            [sys.executable, script, *words],
            cwd=elsewhere,
            capture_output=True,
            text=True,
            check=False,
        )

    answer = run(f"../{fmri_path.name}")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.split()[0] == "method"
    for words, message in (
        (["missing.nii"], "does not exist"),
        ([fmri_path, fmri_path], "takes one file"),
    ):
        answer = run(*words)
        assert answer.returncode == 1
        assert answer.stderr.startswith("Error: ")
        assert message in answer.stderr
        assert "Traceback" not in answer.stderr


def test_a_corrupt_store_is_a_sentence_and_stays(example, fmri_path):
    compare(example(SOURCE), fmri_path, runs=1)
    path = Workspace.chosen(fmri_path).store.path
    path.write_text("{")
    with pytest.raises(comparing.BenchmarkError, match="not a readable results file"):
        compare(example(SOURCE), fmri_path, runs=1)
    assert path.read_text() == "{"


def test_stored_json_says_on_what_it_was_measured(example, fmri_path):
    compare(example(SOURCE), fmri_path, runs=1)
    file = choose.choose(fmri_path)
    content = json.loads(Workspace.chosen(fmri_path).store.path.read_text())
    assert content["data"]["sha256"] == file.sha256
    assert content["provenance"]["packages"]["nibabel"]


def test_the_measure_command_refuses_what_is_no_task():
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks", "measure", "nothing"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 2
    assert answer.stderr.startswith("Error: There is no task 'nothing'; there are: ")


COLD = """
import os
from benchmarks.gauge import conditions

def cached(fmri_path):
    descriptor = os.open(fmri_path, os.O_RDONLY)
    try:
        fraction = conditions.cached_fraction(descriptor)
        while os.read(descriptor, 1 << 20):
            pass
    finally:
        os.close(descriptor)
    return fraction

def cached_cold(fmri_path):
    return cached(fmri_path)

COLD_CACHE = ["cached_cold"]
METHODS = [[cached], [cached_cold]]
"""


def test_a_method_can_find_a_cold_file_beside_others_that_find_it_warm(example, started):
    # The folder of temporary files may be in memory.
    with tempfile.TemporaryDirectory(dir=Path(__file__).resolve().parent) as folder:
        path = save_run(Path(folder, "run.nii"), shape=(64, 64, 32, 8))
        warm, cold = compare(example(COLD), path, runs=2).results
        assert (warm.status, cold.status) == ("ok", "ok")
        assert warm.value.median == 1.0
        assert cold.value.median <= conditions.COLD_FRACTION
        assert (len(warm.memory_runs), len(cold.memory_runs)) == (2, 1)
        count = len(started)
        compare(example(COLD), path, runs=2)
        assert len(started) == count


@pytest.mark.skipif(not os.path.ismount("/dev/shm"), reason="no file system is in memory")
def test_where_a_file_stays_warm_the_table_says_so_and_it_is_not_tried_again(example, started):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        path = save_run(Path(folder, "run.nii"))
        comparison = compare(example(COLD), path, runs=2)
        count = len(started)
        assert "stays warm" in comparison.table().text().splitlines()[-1]
        assert "cannot be dropped from the page cache" in str(comparison)
        warm, cold = compare(example(COLD), path, runs=2).results
        assert (warm.status, cold.status, cold.time_runs) == ("ok", "stays warm", ())
        assert len(started) == count
