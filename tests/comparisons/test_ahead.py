import json
import shutil

import pytest
from conftest import save_run

from benchmarks import files, progress
from benchmarks.comparisons import ahead
from benchmarks.comparisons.compare import compare
from benchmarks.gauge.readings import MemoryRun, TimeRun
from benchmarks.images.workspace import Workspace
from benchmarks.results import reference_store
from benchmarks.results.result import Result, Status
from benchmarks.runner.schedule import Plan
from benchmarks.tasks.task import task_named

SOURCE = """
import nibabel as nib

def slow(fmri_path):
    return nib.load(fmri_path)

def quick(fmri_path):
    return nib.load(fmri_path)

def outside(fmri_path):
    return nib.load(fmri_path)

def plain(fmri_path):
    return nib.load(fmri_path)

PROGRAMS = {"outside": "a-program-of-this-test"}
ENDINGS = {"plain": ".nii"}
METHODS = [slow, quick, outside, plain]
"""

RUNS = {
    "time_runs": (TimeRun(10.0, 10.0, 0.0),) * 5,
    "memory_runs": (MemoryRun(1, 1, 1, 1, 1),) * 3,
}


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """Measure a task on the reference machine: on the file, and two of its methods when short."""
    (tmp_path / "examples").mkdir()
    (tmp_path / "reference").mkdir()
    shutil.copy(files.REFERENCE / "sizes.json", tmp_path / "reference")
    (tmp_path / "examples" / "plot_toy.py").write_text(SOURCE)
    monkeypatch.setattr(files, "EXAMPLES", tmp_path / "examples")
    monkeypatch.setattr(files, "REFERENCE", tmp_path / "reference")
    monkeypatch.setattr(progress, "_course", progress.Course())
    task_named.cache_clear()
    reference_store.opened.cache_clear()
    workspace = Workspace.chosen(save_run(tmp_path / "bold.nii.gz"))
    store, other = workspace.store, workspace.at("x2")
    named = {method.name: method for method in task_named("toy").methods}
    for name in ("slow", "quick", "outside", "plain", "gone"):
        digest = named[name].source_sha256 if name in named else ""
        store.put(Result("toy", name, digest, **RUNS))
    store.put(Result("other", "slow", "digest", **RUNS))
    other.put(Result("toy", "slow", named["slow"].source_sha256, memory_runs=RUNS["memory_runs"]))
    reference_store.write({"run": store, "run@nii_gz": store, "run@x2": other})
    yield workspace
    task_named.cache_clear()
    reference_store.opened.cache_clear()


def expected(workspace, *names, **choices):
    progress._course.left.clear()
    ahead.expect(names or ("toy",), workspace, Plan.of(**choices))
    return progress._course.left


def test_what_is_stored_is_not_expected(workspace):
    assert expected(workspace) == {}


def test_of_a_method_in_no_list_it_is_enough_that_it_is_stored(workspace):
    workspace.store.put(Result("other", "slow", "of another version", **RUNS))
    assert expected(workspace, "other") == {}


def test_all_that_can_be_measured_here_is_expected_if_nothing_is_stored(workspace):
    workspace.store.path.unlink()
    workspace.at("x2").path.unlink()
    workspace = Workspace.chosen(workspace.image.path)
    assert set(expected(workspace)) == {"toy.slow", "toy.quick", "toy@x2.slow"}
    assert set(expected(workspace, "other")) == {"other.slow"}
    assert expected(workspace, "none") == {}


def test_a_method_takes_the_time_of_its_calls_and_of_its_interpreters(workspace):
    found = expected(workspace, again=True)
    # Five runs for time and three for memory in three interpreters, each with a warm-up call.
    assert found["toy.slow"] == pytest.approx(3 * ahead._START_SECONDS + 11 * 10.0)
    assert found["toy@x2.slow"] == pytest.approx(3 * ahead._START_SECONDS + 6 * 0.5)
    assert expected(workspace, again=True, runs=1)["toy.slow"] == ahead._START_SECONDS + 3 * 10.0


@pytest.mark.usefixtures("workspace")
def test_a_file_that_is_larger_takes_longer(tmp_path):
    large = Workspace.chosen(save_run(tmp_path / "large.nii.gz", shape=(8, 7, 6, 50)))
    assert expected(large)["toy.slow"] == pytest.approx(3 * ahead._START_SECONDS + 11 * 100.0)


def test_a_method_whose_code_changed_or_that_failed_is_expected(workspace):
    path = workspace.store.path
    content = json.loads(path.read_bytes())
    for result in content["results"]:
        if (result["task"], result["method"]) == ("toy", "slow"):
            result["source_sha256"] = "another"
        if (result["task"], result["method"]) == ("toy", "quick"):
            result |= {"status": Status.OVER_TIME, "message": "too slow"}
    path.write_text(json.dumps(content))
    assert set(expected(Workspace.chosen(workspace.image.path))) == {"toy.slow", "toy.quick"}


def test_more_runs_than_are_stored_are_expected(workspace):
    path = workspace.store.path
    content = json.loads(path.read_bytes())
    for result in content["results"]:
        result["time_runs"] = result["time_runs"][:2]
    path.write_text(json.dumps(content))
    workspace = Workspace.chosen(workspace.image.path)
    assert {"toy.slow", "toy.quick"} <= set(expected(workspace))
    assert expected(workspace, runs=2) == {}


def test_nothing_is_expected_of_the_reference_or_without_one(workspace, monkeypatch, tmp_path):
    monkeypatch.setattr(files, "REFERENCE", tmp_path / "none")
    assert expected(workspace, again=True) == {}
    monkeypatch.undo()
    monkeypatch.setenv("MEASURE", "0")
    assert expected(Workspace.chosen(), "load", again=True) == {}


def test_a_name_with_a_form_is_about_that_form_alone(workspace):
    assert set(expected(workspace, "toy@x2", again=True)) == {"toy@x2.slow"}
    assert set(expected(workspace, "toy@", again=True)) == {"toy.slow", "toy.quick"}


def test_a_comparison_on_its_own_announces_its_whole_task(workspace, capsys):
    for variant in ("", "x2"):
        workspace.at(variant).path.unlink()
    slow = task_named("toy").method("slow").function
    for form in ("", "x2"):
        compare([slow], workspace.image.path, form=form, runs=1)
    said, *lines = capsys.readouterr().err.splitlines()
    assert "3 methods to measure" in said
    assert [line.split()[1] for line in lines] == ["toy.slow:", "toy@x2.slow:"]
    assert ["method 1 of 3" in lines[0], "method 2 of 3" in lines[1]] == [True, True]
