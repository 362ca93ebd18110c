import ast
import re
import shutil
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from conftest import save_run

from benchmarks import compare, compare_images, compare_jobs, compare_lengths, measure
from benchmarks.comparisons import growth
from benchmarks.comparisons.growth import Growth, Slope
from benchmarks.gauge.readings import MemoryRun, TimeRun
from benchmarks.images import variants
from benchmarks.results.result import Result
from benchmarks.runner import worker
from benchmarks.runner.order import Batch, Order
from benchmarks.units import MIB

SOURCE = """
import nibabel as nib
import numpy as np

def whole(fmri_path):
    return np.ones(nib.load(fmri_path).shape)

def one(fmri_path):
    return 1

def two(fmri_path):
    return [1, 1]

METHODS = [whole, one, two]
"""


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    plt.switch_backend("agg")
    monkeypatch.setattr("benchmarks.results.result.NOISY_FROM", float("inf"))
    yield
    plt.close("all")


def result(method, peak_mib, seconds=0.01):
    return Result(
        "growth",
        method,
        time_runs=(TimeRun(seconds, 0, 0),) * 3,
        memory_runs=(MemoryRun(round(peak_mib * MIB), 0, 0),) * 3,
    )


def test_a_line_through_points_on_a_line_has_no_error():
    slope = Slope.through([1, 1, 2, 2, 4, 4], [7, 7, 12, 12, 22, 22])
    assert (slope.value, slope.start) == pytest.approx((5, 2))
    assert slope.error < 1e-6
    assert str(slope) == "5.00 ± 0.00"


def test_the_error_of_a_slope_is_that_of_linear_regression():
    noise = np.random.default_rng(1)
    xs = np.repeat([1.0, 2.0, 4.0, 8.0], 3)
    ys = 3 * xs + 1 + noise.normal(0, 0.5, xs.size)
    slope = Slope.through(xs, ys)
    residuals = ys - slope.start - slope.value * xs
    variance = (residuals**2).sum() / (xs.size - 2) / ((xs - xs.mean()) ** 2).sum()
    assert slope.error == pytest.approx(np.sqrt(variance))
    assert abs(slope.value - 3) < 3 * slope.error


def test_the_table_has_every_length_and_the_slope():
    grown = Growth(
        growth.RAW_SIZE,
        (16, 32, 64, 128),
        {
            "whole": tuple(result("whole", 5 * mib) for mib in (16, 32, 64, 128)),
            "streamed": tuple(result("streamed", 4) for _ in range(4)),
            "broken": (result("broken", 4), *[Result("t", "broken", status="raised")] * 3),
        },
        "A file.",
    )
    rows = grown.table("peak").texts
    assert grown.table("peak").headings[0] == "peak (MiB)"
    assert rows[0] == ("whole", "80.0", "160", "320", "640", "5.00 ± 0.00")
    assert rows[1][-1] == "0.00 ± 0.00"
    assert rows[2] == ("broken", "4.00", "raised", "raised", "raised", "–")
    assert grown.table("peak").headings[-1] == "MiB for each MiB of raw size"
    labels = [text.get_text() for text in grown.plot("peak").axes[0].get_legend().get_texts()]
    assert labels == ["whole", "streamed"]
    assert "A file." in str(grown)


def grown(axis, places, peaks):
    return Growth(axis, places, {"row": tuple(result("row", peak) for peak in peaks)}, "A file.")


def test_a_line_begins_where_arrays_are_given_back():
    found = grown(growth.RAW_SIZE, (16, 32, 64, 128), (96, 160, 320, 640))
    assert found.table("peak").texts[0][-1] == "5.00 ± 0.00"
    assert "of a line through all repeats from 32.0 MiB on" in plain(found.words("peak"))
    # Time has no such beginning, and a line through less than two lengths is none.
    assert found.fitted("time") == found.places
    assert " on," not in found.words("time")
    small = grown(growth.RAW_SIZE, (4, 8, 16, 32), (24, 48, 96, 160))
    assert small.fitted("peak") == small.places


def test_one_job_is_no_worker():
    found = grown(growth.WORKERS, (1, 2, 4), (100, 130, 250))
    assert found.slope("row", "peak").value == pytest.approx(60)
    assert "from 2 workers on" in found.words("peak")
    (line,) = (line for line in found.plot("peak").axes[0].lines if len(line.get_xdata()) == 2)
    assert list(line.get_xdata()) == [2, 4]


def jobs(seconds, cores, workers=(1, 2, 4, -1)):
    found = [result("job", 1, value) for value in seconds]
    return growth.of_jobs(workers, found, "A file.", cores)


def test_a_worker_for_each_core_is_shown_where_they_are_more():
    few, many = (jobs((0.1, 0.1, 0.2, 0.4), cores) for cores in (2, 16))
    assert few.places == (1, 2, 4)
    assert many.places == (1, 2, 4, 16)
    assert many.table("time").headings[1:-1] == ("1", "2", "4", "16")


def test_scaling_is_told_from_waiting_for_a_core():
    # Two cores: two workers share nothing, and four of them take turns.
    table = jobs((0.1, 0.1, 0.2, 0.4), 2).scaling()
    assert table.headings == ("workers", "1", "2", "4")
    assert [row[1:] for row in table.texts] == [
        ("100", "50", "50"),
        ("1.0", "2.0", "2.0"),
        ("100", "100", "100"),
    ]
    # Of sixteen cores, all wait for one memory that serves four.
    table = jobs((0.1, 0.1, 0.1, 0.4), 16).scaling()
    assert [row[-1] for row in table.texts] == ["25", "4.0", "25"]


def test_what_failed_has_no_share_in_the_scaling():
    found = [result("job", 1), Result("growth", "job", status="raised"), result("job", 1)]
    table = growth.of_jobs((1, 2, 4), found, "A file.", 2).scaling()
    assert [row[1:] for row in table.texts] == [
        ("10", "–", "2.5"),
        ("1.0", "–", "4.0"),
        ("100", "–", "200"),
    ]


def test_images_that_are_handed_out_are_counted_once():
    found = [replace(result("job", 1, value), images=4) for value in (0.4, 0.25)]
    table = growth.of_jobs((1, 2), found, "A file.", 2).scaling()
    assert [row[1:] for row in table.texts] == [("100", "62"), ("1.0", "1.6"), ("100", "80")]


def test_a_noisy_time_is_marked(monkeypatch):
    monkeypatch.setattr("benchmarks.results.result.NOISY_FROM", 0.1)
    noisy = replace(result("row", 1), time_runs=tuple(TimeRun(s, 0, 0) for s in (1, 1, 2)))
    found = Growth(growth.IMAGES, (2, 4), {"row": (noisy, result("row", 1, 2.0))}, "A file.")
    assert found.table("time").texts[0][1].startswith("~")
    assert not found.table("time").texts[0][2].startswith("~")


def plain(text):
    return re.sub(r"\s", " ", text)


def test_two_runs_are_no_slope():
    rows = {"t": (result("a", 1), result("b", 2))}
    once = {
        name: tuple(replace(r, memory_runs=r.memory_runs[:1]) for r in found)
        for name, found in rows.items()
    }
    grown = Growth(growth.WORKERS, (1, 2), once, "A file.")
    assert grown.slope("t", "peak") is None
    assert grown.table("peak").rows[0][-1] == "–"
    assert grown.plot("peak").axes[0].lines


@pytest.mark.alone
def test_longer_runs_are_measured_and_the_slope_is_the_multiplier(example, tmp_path, monkeypatch):
    path = save_run(tmp_path / "run.nii.gz", shape=(64, 64, 32, 8))
    monkeypatch.setenv("FMRI", str(path))
    monkeypatch.setattr(variants, "SHORT_BYTES", 1)
    whole, one, two = example(SOURCE)
    grown = compare_lengths([whole], runs=1)
    assert grown.places == (1, 2, 4, 8)
    # Eight bytes in memory for two in the file.
    assert grown.slope("whole", "peak").value == pytest.approx(4, abs=0.1)
    jobs = compare_jobs({1: one, 2: two})
    assert jobs.places == (1, 2)
    assert re.fullmatch(r"time \((µs|ms)\)", jobs.table("time").headings[0])
    assert jobs.table("time").headings[1:] == ("1", "2", "ms for each worker")


MANY = """
from pathlib import Path
import numpy as np

def sizes(fmri_paths):
    return np.array([len(Path(path).read_bytes()) for path in fmri_paths])

METHODS = [sizes]
"""


def test_many_images_are_measured_against_their_number(example, fmri_path, monkeypatch):
    monkeypatch.setenv("FMRI", str(fmri_path))
    functions = example(MANY)
    found = compare_images(functions, runs=2)
    assert found.axis == growth.IMAGES
    assert found.places == (2, 4)
    results = found.rows["sizes"]
    assert [result.images for result in results] == [2, 4]
    # Every call got so many copies, and all of them were whole.
    size = fmri_path.stat().st_size
    assert [result.returned.shape for result in results] == [(2,), (4,)]
    assert [result.returned.sums[0] for result in results] == [2 * size, 4 * size]
    fastest = results[1].wall_seconds.low
    assert results[1].quantity("throughput").high == pytest.approx(4 * 60 / fastest)
    held = results[1].memory_runs[0]
    whole = held.baseline_bytes + held.peak_bytes
    assert whole in results[1].quantity("whole").values
    assert found.caption.startswith("Copies of sub-01_task-rest_bold.nii.gz: 8 x 7 x 6 x 5 voxels")
    assert found.table("whole").headings[0] == "all memory (MiB)"
    assert found.table("time").headings[-1] == "ms for each image"


def test_workers_that_share_images_say_so(example, fmri_path, monkeypatch):
    monkeypatch.setenv("FMRI", str(fmri_path))
    (sizes,) = example(MANY)
    found = compare_jobs({1: sizes}, form="images4", runs=1)
    assert list(found.rows) == ["images shared by all"]
    assert found.table("throughput").headings[0] == "images per minute"
    assert found.caption.startswith("4 copies of ")


def test_copies_are_gone_after_the_measurement(example, fmri_path, monkeypatch):
    monkeypatch.setenv("FMRI", str(fmri_path))
    (where,) = example(MANY.replace("sizes", "where").replace(
        "np.array([len(Path(path).read_bytes()) for path in fmri_paths])", "fmri_paths[0]"
    ))  # fmt: skip
    compared = compare([where], form="images2", runs=1, timed=False)
    (result,) = compared.results
    assert result.returned.text.endswith("run-1.nii.gz'")
    assert not Path(ast.literal_eval(result.returned.text)).parent.exists()


def test_one_image_has_no_throughput():
    assert result("growth", 1).quantity("throughput").values == ()


def test_copies_are_cold_where_that_is_asked_for(example, fmri_path, monkeypatch):
    monkeypatch.setenv("FMRI", str(fmri_path))
    (sizes,) = example(MANY)
    (found,) = compare([sizes], form="images2", runs=1, cache="cold").results
    assert found.cache == "cold"
    assert (found.status, found.returned.sums[0]) == ("ok", 2 * fmri_path.stat().st_size)
    # The copies are dropped before each run, and not the file that they were made of.
    path = str(fmri_path)
    order = worker._copied(Order(sizes, ((path,),), Batch(), cold_paths=(path,), copies=2))
    ((copies,),) = order.calls
    assert order.cold_paths == tuple(copies)
    assert path not in copies
    shutil.rmtree(Path(copies[0]).parent)


def test_a_function_may_have_an_argument_of_any_name():
    found = measure(len_of, [1, 2], copies=3, runs=1)
    assert found.returned.text == "5"


def len_of(values, copies):
    return len(values) + copies
