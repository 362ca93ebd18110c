import collections
import os
import platform
import runpy
import sys
import textwrap
from importlib import metadata

import nibabel as nib
import numpy as np
import pytest
import room
from packaging.version import Version

from benchmarks.runner import self_check

SHAPE = (8, 7, 6, 5)

#: The file of tests that takes longest.
LONGEST = "test_commands.py"

NO_CHROMIUM = "there is no Chromium to look at the pages with"


def since(package, release, before):
    """Return a mark for what a package does since a release; `before` is what it did till then."""
    older = Version(metadata.version(package)) < Version(release)
    return pytest.mark.skipif(older, reason=f"before {package} {release}, {before}")


def pytest_collection_modifyitems(items):
    """Start with what runs alone, so that others wait for it together, then what is longest."""
    items.sort(key=lambda item: (not item.get_closest_marker("alone"), item.path.name != LONGEST))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Run a test beside others, or alone."""
    with room.alone() if item.get_closest_marker("alone") else room.shared():
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter):
    """Say at the very end what nobody looked at for want of a browser, and how to get one."""
    yield
    skipped = terminalreporter.getreports("skipped")
    blind = [report.nodeid for report in skipped if NO_CHROMIUM in str(report.longrepr)]
    if blind:
        terminalreporter.section("not looked at")
        terminalreporter.line(f"This was skipped, since {NO_CHROMIUM}:")
        for name, times in collections.Counter(name.partition("[")[0] for name in blind).items():
            terminalreporter.line(f"  {name} ({times})")
        terminalreporter.line(f"Install one with: {_command_for_chromium()}")


def _command_for_chromium():
    try:
        debian = platform.freedesktop_os_release()["ID"] == "debian"
    except OSError:
        debian = False
    if debian:
        return "apt-get install chromium"
    return f"{os.path.relpath(sys.executable)} -m playwright install chromium"


@pytest.fixture(autouse=True, scope="session")
def _no_choices():
    """Keep the choices of who runs the tests away from what is measured once for many of them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in (
            *("FMRI", "DATA", "CONCAT", "RUNS", "FRESH", "MEASURE", "MEMORY_LIMIT", "TIME_LIMIT"),
            *("ATLAS", "SITE_URL", "DASK_SCHEDULER_ADDRESS"),
        ):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(autouse=True)
def apart(tmp_path_factory, monkeypatch):
    """Keep tests away from the reader's files and results."""
    folder = tmp_path_factory.mktemp("apart")
    monkeypatch.setenv("FMRI_BENCH_RESULTS", str(folder / "results"))
    monkeypatch.setenv("FMRI_BENCH_CACHE", str(folder / "cache"))
    # The same for all tests: another environment would need other templates.
    home = tmp_path_factory.getbasetemp() / "home"
    home.mkdir(exist_ok=True)
    monkeypatch.setenv("NILEARN_DATA", str(home / "nilearn"))
    monkeypatch.setenv("HOME", str(home))


@pytest.fixture(autouse=True)
def _trusted_gauge(request, monkeypatch):
    """Spare the seconds in which the gauge checks itself, but in the tests of that."""
    if request.module.__name__ != "test_self_check":
        monkeypatch.setattr(self_check, "ensure", lambda *_, **__: [])


def save_run(path, dtype=np.int16, slope=1.0, inter=0.0, shape=SHAPE, kind=nib.Nifti1Image):
    """Write a small image of seeded noise around a signal that differs between voxels."""
    noise = np.random.default_rng(1)
    mean = noise.uniform(500, 1500, shape[:3])
    mean = mean.reshape(shape[:3] + (1,) * (len(shape) - 3))
    values = (mean + noise.normal(0, 10, shape)).astype(dtype)
    affine = np.diag([3, 3, 3.5, 1])
    header = kind.header_class(endianness="<" if np.dtype(dtype).isnative else ">")
    img = kind(values, affine, header)
    img.header.set_data_dtype(dtype)
    img.header.set_slope_inter(slope, inter)
    img.header.set_zooms((3, 3, 3.5, 2)[: len(shape)])
    nib.save(img, path)
    return path


@pytest.fixture
def fmri_path(tmp_path):
    return save_run(tmp_path / "sub-01_task-rest_bold.nii.gz")


@pytest.fixture
def example(tmp_path):
    """Return a function that writes an example file and gives the functions in it."""

    def write(source, name="my_example.py"):
        path = tmp_path / name
        path.write_text(textwrap.dedent(source))
        return runpy.run_path(str(path), run_name="definitions")["METHODS"]

    return write


def children():
    """Return the process ids of all processes that descend from this one."""
    import psutil

    return {process.pid for process in psutil.Process(os.getpid()).children(recursive=True)}
