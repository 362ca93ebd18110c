import ast
import os
import re
import subprocess
import sys
import tempfile

import nbformat
import nibabel as nib
import numpy as np
import pytest
from conftest import save_run
from nbclient import NotebookClient
from sphinx_gallery.notebook import python_to_jupyter_cli

from benchmarks.files import EXAMPLES, PROJECT
from benchmarks.gauge import conditions
from benchmarks.tasks import agreement, source
from benchmarks.tasks import task as tasks

PATHS = tasks.example_paths()


@pytest.fixture(autouse=True, scope="module")
def _no_workers_stay():
    """End the worker processes that methods start in this process."""
    yield
    conditions.end_workers()


FILES = {
    "int16": {"name": "a.nii"},
    "int16 compressed": {"name": "a.nii.gz"},
    "scaled": {"name": "a.nii.gz", "slope": 75.5},
    "scaled and shifted": {"name": "a.nii", "slope": 0.5, "inter": 100.0},
    "float32": {"name": "a.nii", "dtype": np.float32},
    "float32 compressed": {"name": "a.nii.gz", "dtype": np.float32},
    "float64": {"name": "a.nii", "dtype": np.float64},
    "uint8": {"name": "a.nii", "dtype": np.uint8},
    "big-endian": {"name": "a.nii.gz", "dtype": np.dtype(">i2")},
    "NIfTI-2": {"name": "a.nii.gz", "kind": nib.Nifti2Image},
}


#: Methods that say in their text that they are for NIfTI-1.
NIFTI1_ONLY = {"last_volume_indexed"}


def fits(method, kind, path):
    return method.takes(path) and not (kind == "NIfTI-2" and method.name in NIFTI1_ONLY)


# All kinds of a task follow each other, so that they find its workers still there.
@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("task", PATHS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning:nibabel", "ignore:Casting data from")
def test_the_methods_of_a_task_agree_voxel_by_voxel(task, kind, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    choices = dict(FILES[kind])
    path = save_run(tmp_path / choices.pop("name"), **choices)
    loaded = tasks.from_example(PATHS[task])
    given = [str(path)] * 2 if loaded.form else str(path)
    groups = {}
    for method in loaded.methods:
        # Dask changes the process that it is started in; test_many_images compares its ways.
        if fits(method, kind, path) and not source.uses(method.function, "dask"):
            groups.setdefault(method.group, []).append(method)
    for first, *others in groups.values():
        expected = first.function(given)
        for method in others:
            value = method.function(given)
            for one, other in zip(parts(expected), parts(value), strict=True):
                # Values around zero are off relative to the largest, as in every measurement.
                off = loaded.tolerance * np.abs(one).max() if one.min() < 0 else 0
                np.testing.assert_allclose(one, other, loaded.tolerance, off, err_msg=method.name)
            agreement.check(
                (first.name, method.name),
                agreement.reduce(expected),
                agreement.reduce(value),
                loaded.tolerance,
            )


def parts(value):
    """Return the arrays of an image, an array, a number, or a list of them."""
    several = value if isinstance(value, list) else [value]
    return [np.asanyarray(getattr(one, "dataobj", one), dtype=np.float64) for one in several]


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_outside_the_guard_are_only_definitions(path):
    tree = ast.parse(path.read_text())
    allowed = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.Assign)
    for node in tree.body:
        if isinstance(node, ast.If):
            assert ast.unparse(node.test) == "__name__ == '__main__'"
        elif isinstance(node, ast.Expr):
            assert isinstance(node.value, ast.Constant)
            assert isinstance(node.value.value, str)
        else:
            assert isinstance(node, allowed), ast.unparse(node)
        if isinstance(node, ast.Assign):
            assert not any(isinstance(part, ast.Call) for part in ast.walk(node.value))


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_a_method_is_short_and_says_what_it_does(path):
    for method in tasks.from_example(path).methods:
        assert method.summary.endswith((".", "?")), method.name
        assert len(method.summary) < 90
        lines = ast.unparse(ast.parse(_source(method.function)).body[0].body[1:]).splitlines()
        assert 1 <= len(lines) <= 12, method.name


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_what_is_said_of_methods_names_methods(path):
    task = tasks.from_example(path)
    said = task.methods[0].function.__globals__
    lists = ("COLD_WORKERS", "COLD_CACHE", "ENDINGS", "PROGRAMS", "RECOMMENDED")
    named = {name for each in lists for name in said.get(each, ())}
    assert named <= {method.name for method in task.methods} | task.absent.keys()


def _source(function):
    import inspect

    return inspect.getsource(function)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return a folder for what examples measure, so that no example is measured twice."""
    return tmp_path_factory.mktemp("results")


@pytest.fixture
def run(results, fmri_path, monkeypatch):
    """Return a small run, and where its results are kept."""
    monkeypatch.setenv("FMRI_BENCH_RESULTS", str(results))
    monkeypatch.setenv("RUNS", "1")
    return fmri_path


# Every build runs all examples; these are the quick ones. Measured are two by the command, another
# one by its script, and one in a notebook.
def test_the_measure_command_runs_the_example(run):
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks", "measure", "load", "smooth"],
        env=os.environ | {"FMRI": str(run)},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    for name in ("nilearn_load_img", "get_fdata", "saved_by_volume"):
        assert name in answer.stdout


@pytest.mark.parametrize("path", [PATHS[name] for name in ("load", "extract_volume")])
def test_an_example_runs_from_any_folder_on_any_file(path, tmp_path, run):
    answer = subprocess.run(
        [sys.executable, path, run],
        cwd=tmp_path,
        env=os.environ | {"MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    for method in tasks.from_example(path).methods:
        assert re.search(rf"\b{method.name}\b", answer.stdout)
    assert "least possible" in answer.stdout


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_downloaded_notebook_runs_in_jupyters_kernel(tmp_path, run, monkeypatch):
    copy = tmp_path / "plot_mean_over_time.py"
    copy.write_text((EXAMPLES / copy.name).read_text())
    python_to_jupyter_cli([str(copy)])
    monkeypatch.setenv("FMRI", str(run))
    notebook = nbformat.read(copy.with_suffix(".ipynb"), as_version=4)
    NotebookClient(notebook, timeout=300).execute(cwd=str(tmp_path))
    printed = "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", [])
    )
    assert "mean_volume_by_volume" in printed
    pictures = [
        o for c in notebook.cells for o in c.get("outputs", []) if "image/png" in o.get("data", {})
    ]
    assert len(pictures) == 2
