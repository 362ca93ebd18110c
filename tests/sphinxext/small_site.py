"""A small site whose figures were measured once, for several tests."""

import contextlib
import shutil

import pytest
import room
from conftest import save_run

from benchmarks import files
from benchmarks.tasks import task as task_module


@contextlib.contextmanager
def measuring(folder, example):
    """Have an example and a run in use in a folder, alone; give the run and the functions."""
    (folder / "examples").mkdir()
    (folder / "examples" / "plot_small.py").write_text(example)
    fmri_path = save_run(folder / "bold.nii.gz")
    with room.alone(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "EXAMPLES", folder / "examples")
        patch.setenv("FMRI_BENCH_RESULTS", str(folder / "results"))
        patch.setenv("FMRI_BENCH_CACHE", str(folder / "cache"))
        task_module.task_named.cache_clear()
        functions = [method.function for method in task_module.task_named("small").methods]
        yield fmri_path, functions


def entered(measured, folder, monkeypatch):
    """Have a copy of what was measured in use, in a folder; return that of the sources in it."""
    shutil.copytree(measured, folder, dirs_exist_ok=True)
    monkeypatch.setattr(files, "EXAMPLES", folder / "examples")
    monkeypatch.setenv("FMRI_BENCH_RESULTS", str(folder / "results"))
    monkeypatch.setenv("FMRI_BENCH_CACHE", str(folder / "cache"))
    monkeypatch.setenv("FMRI", str(folder / "bold.nii.gz"))
    task_module.task_named.cache_clear()
    source = folder / "source"
    source.mkdir()
    return source
