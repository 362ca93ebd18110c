import json
import math
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import save_run

from benchmarks import compare
from benchmarks.gauge.readings import TimeRun
from benchmarks.images.image import Image
from benchmarks.images.workspace import Workspace
from benchmarks.prediction import kernels, roofline
from benchmarks.results.result import Result
from benchmarks.results.store import Store
from benchmarks.runner import execute, launch
from benchmarks.tasks import chapter
from benchmarks.tasks import task as tasks
from benchmarks.tasks.chapter import About, Need

PLAIN = Image(Path("a_bold.nii"), (10, 10, 10, 8), "int16", file_bytes=16_352)
COMPRESSED = replace(PLAIN, path=Path("a_bold.nii.gz"), compression="gz", file_bytes=9_000)
FLOAT32_BYTES = 8_000 * 4


class Rates(Store):
    """A store that holds one rate of 1 s for each kernel, but for those that are missing."""

    def __init__(self, image, seconds=None, missing=()):
        self.data = image
        self._seconds = seconds or {}
        self._missing = missing

    def get(self, task, method, cache="warm"):
        if method in self._missing:
            return None
        seconds = self._seconds.get(method, 1.0)
        return Result(
            task, method, roofline.digest(), time_runs=(TimeRun(seconds, 0, 0),), cache=cache
        )


@pytest.fixture
def needs(monkeypatch):
    """Return a mapping by which tests say what methods of a task need."""

    class Needs(dict):
        def __setitem__(self, task, needs):
            chapter.TASKS[task] = About(needs)

    monkeypatch.setattr(chapter, "TASKS", {})
    return Needs()


@pytest.mark.parametrize(
    ("need", "image", "cache", "work"),
    [
        (Need(), COMPRESSED, "warm", [{"inflate_isal": 16_000}]),
        (Need(), PLAIN, "warm", [{"read": 16_000}]),
        (Need(), PLAIN, "cold", [{"read_cold": 16_000}]),
        (Need(), COMPRESSED, "cold", [{"inflate_isal": 16_000}, {"read_cold": 9_000}]),
        (Need(lambda _: 4, one=True), COMPRESSED, "warm", [{"inflate_isal": 8_000}]),
        (Need(lambda _: 4, one=True), PLAIN, "warm", [{"read": 2_000}]),
        (Need(converted=True), PLAIN, "warm", [{"read": 16_000}, {"to_float32": 16_000}]),
        (
            Need(converted=True, arrays=2),
            PLAIN,
            "warm",
            [{"read": 16_000}, {"to_float32": 16_000, "copy": 2 * FLOAT32_BYTES}],
        ),
        (
            Need(converted=True, packed=True),
            PLAIN,
            "warm",
            [{"read": 16_000}, {"to_float32": 16_000}, {"deflate_isal": FLOAT32_BYTES}],
        ),
    ],
)
def test_the_work_follows_from_the_header(need, image, cache, work):
    assert roofline.work_of(need, image, cache) == work


def test_a_limit_is_the_sum_of_its_parts_and_of_two_ways_at_once_the_longer(needs):
    needs["task"] = {"": Need(converted=True, arrays=2)}
    slow_copy = roofline.roofline(
        "task", "any", Rates(COMPRESSED, {"inflate_isal": 3.0, "copy": 0.6})
    )
    assert slow_copy.parts == pytest.approx({"inflate_isal": 3.0, "copy": 1.2})
    assert slow_copy.wall_seconds == pytest.approx(4.2)
    assert slow_copy.peak_bytes == 2 * FLOAT32_BYTES
    slow_conversion = roofline.roofline("task", "any", Rates(COMPRESSED, {"copy": 0.1}))
    assert slow_conversion.parts == pytest.approx({"inflate_isal": 1.0, "to_float32": 1.0})


def test_what_is_gone_through_needs_one_volume(needs):
    needs["task"] = {"": Need(converted=True)}
    assert roofline.roofline("task", "any", Rates(PLAIN)).peak_bytes == 1000 * 4


def test_no_limit_where_there_is_no_need_or_no_rate(needs):
    needs["task"] = {"": Need(), "opens": None}
    assert roofline.roofline("task", "opens", Rates(PLAIN)) is None
    assert roofline.roofline("other", "any", Rates(PLAIN)) is None
    assert roofline.roofline("task", "any", Rates(PLAIN, missing=("read",))) is None
    assert roofline.roofline("task", "any", Rates(replace(PLAIN, path=Path("a.mgz")))) is None
    failed = Rates(PLAIN)
    failed.get = lambda *_: Result("task", "read", roofline.digest(), status="raised")
    assert roofline.roofline("task", "any", failed) is None
    stale = Rates(PLAIN)
    stale.get = lambda *_: Result("task", "read", "old", time_runs=(TimeRun(1, 0, 0),))
    assert roofline.roofline("task", "any", stale) is None


def test_every_kernel_does_its_work(tmp_path):
    path = save_run(tmp_path / "run.nii.gz")
    run = kernels.Run("int16", 8 * 7 * 6, 5)
    for rate in roofline.RATES:
        assert getattr(kernels, rate.removesuffix("_cold"))(str(path), run) is None


@pytest.mark.parametrize("kernel", [kernels.inflate_isal, kernels.inflate_zlib])
def test_unpacking_reads_to_the_end(kernel, tmp_path):
    path = save_run(tmp_path / "run.nii.gz", shape=(20, 20, 20, 5))
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(EOFError):
        kernel(str(path), kernels.Run("int16", 8000, 5))


def test_needs_name_methods_that_there_are():
    for task, about in chapter.TASKS.items():
        found = tasks.from_example(tasks.example_paths()[task])
        names = {method.name for method in found.methods} | found.absent.keys()
        assert about.needs.keys() - {""} <= names
        assert set(about.reads_again) <= names
        assert names.isdisjoint(roofline.RATES)


def test_kernels_take_turns_with_methods_and_the_limit_is_not_stored(
    example, tmp_path, needs, monkeypatch
):
    needs["my_example"] = {"": Need(converted=True)}
    methods = example("def nothing(fmri_path):\n    return 3\n\nMETHODS = [nothing]\n")
    path = save_run(tmp_path / "run.nii")
    (result,) = compare(methods, path, runs=2).results
    store = Workspace.chosen(path).store
    assert {r.method for r in store.all()} == {"nothing", "read", "to_float32"}
    expected = sum(store.get("my_example", n).wall_seconds.median for n in ("read", "to_float32"))
    # A file has a header before its voxels.
    assert result.least_seconds == pytest.approx(expected, rel=0.2)
    low = result.wall_seconds.low / result.least_seconds
    assert math.isclose(result.quantity("times_least").low, low)
    assert "least_seconds" not in json.loads(store.path.read_bytes())["results"][0]
    assert store.get("my_example", "nothing").least_seconds is None
    monkeypatch.setattr(roofline, "digest", lambda: "another code of the kernels")
    assert roofline.completed(result, store) == result
    assert roofline.roofline("my_example", "nothing", store) is None


def test_memory_alone_needs_no_rates(example, tmp_path, needs):
    needs["my_example"] = {"": Need()}
    methods = example("def nothing(fmri_path):\n    return 3\n\nMETHODS = [nothing]\n")
    path = save_run(tmp_path / "run.nii")
    (result,) = compare(methods, path, runs=1, timed=False).results
    assert result.least_seconds is None
    assert len(Workspace.chosen(path).store.all()) == 1


@pytest.fixture
def in_memory():
    """Return a folder whose files are always in memory."""
    if not os.path.ismount("/dev/shm"):
        pytest.skip("/dev/shm is a file system of its own on Linux only")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


def test_a_file_that_is_always_in_memory_has_no_cold_rate_and_is_asked_once(
    example, in_memory, needs, monkeypatch
):
    needs["my_example"] = {"": Need()}
    monkeypatch.setattr(chapter, "SHOWN_WITH", "my_example")
    methods = example("def nothing(fmri_path):\n    return 3\n\nMETHODS = [nothing]\n")
    path = save_run(in_memory / "run.nii")
    (result,) = compare(methods, path, runs=2).results
    assert result.least_seconds is not None
    store = Workspace.chosen(path).store
    cold = store.get("my_example", "read_cold")
    assert cold.status == "stays warm"
    assert "cannot be dropped from the page cache" in cold.message
    monkeypatch.setattr(execute, "carry_out", lambda *_: pytest.fail("measured again"))
    assert compare(methods, path, runs=2).results == (result,)


def test_the_limit_of_a_cold_file_counts_the_disk_once(example, tmp_path, needs, monkeypatch):
    needs["my_example"] = {"": Need()}
    methods = example("def nothing(fmri_path):\n    return 3\n\nMETHODS = [nothing]\n")
    asked = {}
    original = launch.prepare

    def prepare(order, **kwargs):
        function = getattr(order.function, "func", order.function)
        name = "read_cold" if function is kernels.read else function.__name__
        asked[name] = "cold" if order.cold_paths else "warm"
        return original(replace(order, cold_paths=()), **kwargs)

    monkeypatch.setattr(launch, "prepare", prepare)
    compare(methods, save_run(tmp_path / "run.nii.gz"), runs=1, cache="cold")
    assert asked == {"nothing": "cold", "inflate_isal": "warm", "read_cold": "cold"}
