import json
import math
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import save_run

from benchmarks import compare
from benchmarks.images import choose
from benchmarks.prediction import kernels
from benchmarks.prediction import roofline
from benchmarks.images import workspace
from benchmarks.runner import order as orders
from benchmarks.runner import execute
from benchmarks.tasks import task as tasks
from benchmarks.prediction.roofline import Need
from benchmarks.results.result import Result
from benchmarks.images.image import Data
from benchmarks.gauge.readings import TimeRun

PLAIN = Data("a_bold.nii", (10, 10, 10, 8), "int16", False, "none", 16_000, 16_352, "", "")
COMPRESSED = replace(PLAIN, name="a_bold.nii.gz", compression="gz", file_bytes=9_000)
FLOAT32_BYTES = 8_000 * 4


class Rates:
    """A store that holds one rate of 1 s for each kernel, but for those that are missing."""

    def __init__(self, file_data, seconds=None, missing=()):
        self.data = file_data
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
    monkeypatch.setattr(roofline, "NEEDS", {})
    return roofline.NEEDS


@pytest.mark.parametrize(
    ("need", "file_data", "cache", "work"),
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
def test_the_work_follows_from_the_header(need, file_data, cache, work):
    assert roofline.work_of(need, file_data, cache) == work


def test_a_limit_is_the_sum_of_its_parts_and_of_two_ways_at_once_the_longer(needs):
    needs["task"] = {"": Need(converted=True, arrays=2)}
    slow_copy = roofline.limit("task", "any", Rates(COMPRESSED, {"inflate_isal": 3.0, "copy": 0.6}))
    assert slow_copy.parts == pytest.approx({"inflate_isal": 3.0, "copy": 1.2})
    assert slow_copy.wall_seconds == pytest.approx(4.2)
    assert slow_copy.peak_bytes == 2 * FLOAT32_BYTES
    slow_conversion = roofline.limit("task", "any", Rates(COMPRESSED, {"copy": 0.1}))
    assert slow_conversion.parts == pytest.approx({"inflate_isal": 1.0, "to_float32": 1.0})


def test_what_is_gone_through_needs_one_volume(needs):
    needs["task"] = {"": Need(converted=True)}
    assert roofline.limit("task", "any", Rates(PLAIN)).peak_bytes == 1000 * 4


def test_no_limit_where_there_is_no_need_or_no_rate(needs):
    needs["task"] = {"": Need(), "opens": None}
    assert roofline.limit("task", "opens", Rates(PLAIN)) is None
    assert roofline.limit("other", "any", Rates(PLAIN)) is None
    assert roofline.limit("task", "any", Rates(PLAIN, missing=("read",))) is None
    assert roofline.limit("task", "any", Rates(replace(PLAIN, name="a.mgz"))) is None
    failed = Rates(PLAIN)
    failed.get = lambda *_: Result("task", "read", roofline.digest(), status="raised")
    assert roofline.limit("task", "any", failed) is None
    stale = Rates(PLAIN)
    stale.get = lambda *_: Result("task", "read", "old", time_runs=(TimeRun(1, 0, 0),))
    assert roofline.limit("task", "any", stale) is None


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
    for task, needs in roofline.NEEDS.items():
        found = tasks.from_example(tasks.example_paths()[task])
        names = {method.name for method in found.methods} | found.absent.keys()
        assert needs.keys() - {""} <= names
        assert names.isdisjoint(roofline.RATES)


def test_kernels_take_turns_with_methods_and_the_limit_is_not_stored(
    example, tmp_path, needs, monkeypatch
):
    needs["my_example"] = {"": Need(converted=True)}
    methods = example("def nothing(fmri_path):\n    return 3\n\nMETHODS = [nothing]\n")
    path = save_run(tmp_path / "run.nii")
    (result,) = compare(methods, path, runs=2).results
    store = workspace.store_of(choose.choose(path))
    assert {r.method for r in store.all()} == {"nothing", "read", "to_float32"}
    expected = sum(store.get("my_example", n).wall_seconds.median for n in ("read", "to_float32"))
    # A file has a header before its voxels.
    assert result.limit_seconds == pytest.approx(expected, rel=0.2)
    low = result.wall_seconds.low / result.limit_seconds
    assert math.isclose(result.quantity("times_limit").low, low)
    assert "limit_seconds" not in json.loads(store.path.read_bytes())["results"][0]
    assert store.get("my_example", "nothing").limit_seconds is None
    monkeypatch.setattr(roofline, "digest", lambda: "another code of the kernels")
    assert roofline.with_limit(result, store) == result
    assert roofline.limit("my_example", "nothing", store) is None


def test_memory_alone_needs_no_rates(example, tmp_path, needs):
    needs["my_example"] = {"": Need()}
    methods = example("def nothing(fmri_path):\n    return 3\n\nMETHODS = [nothing]\n")
    path = save_run(tmp_path / "run.nii")
    (result,) = compare(methods, path, runs=1, timed=False).results
    assert result.limit_seconds is None
    assert len(workspace.store_of(choose.choose(path)).all()) == 1


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
    monkeypatch.setattr(roofline, "SHOWN_WITH", "my_example")
    methods = example("def nothing(fmri_path):\n    return 3\n\nMETHODS = [nothing]\n")
    path = save_run(in_memory / "run.nii")
    (result,) = compare(methods, path, runs=2).results
    assert result.limit_seconds is not None
    store = workspace.store_of(choose.choose(path))
    cold = store.get("my_example", "read_cold")
    assert cold.status == "raised"
    assert "cannot be dropped from the page cache" in cold.message
    monkeypatch.setattr(execute, "run_once", lambda *_: pytest.fail("measured again"))
    assert compare(methods, path, runs=2).results == (result,)


def test_the_limit_of_a_cold_file_counts_the_disk_once(example, tmp_path, needs, monkeypatch):
    needs["my_example"] = {"": Need()}
    methods = example("def nothing(fmri_path):\n    return 3\n\nMETHODS = [nothing]\n")
    asked = {}
    original = orders.order

    def order(batch, function, *args, cache, **kwargs):
        asked[getattr(function, "__name__", "kernel")] = cache
        if hasattr(function, "func"):
            name = "read_cold" if function.func is kernels.read else function.func.__name__
            asked[name] = cache
        return original(batch, function, *args, cache="warm", **kwargs)

    monkeypatch.setattr(orders, "order", order)
    compare(methods, save_run(tmp_path / "run.nii.gz"), runs=1, cache="cold")
    del asked["kernel"]
    assert asked == {"nothing": "cold", "inflate_isal": "warm", "read_cold": "cold"}
