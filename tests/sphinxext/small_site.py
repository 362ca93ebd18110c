"""A small site whose figures were measured once, for several tests."""

import shutil

from benchmarks import files
from benchmarks.tasks import task as task_module


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
