"""What is recommended is safe to copy: one test for each promise, on every recommended method."""

import concurrent.futures
import contextlib
import inspect
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import psutil
import pytest
from conftest import SHAPE, save_run
from nilearn.image import mean_img
from nilearn.maskers import NiftiMasker

from benchmarks import recipes
from benchmarks.gauge import conditions
from benchmarks.tasks import pasted, source
from benchmarks.tasks import task as tasks

TASKS = {name: tasks.from_example(path) for name, path in tasks.example_paths().items()}

#: Every recommended method, with its task.
RECIPES = {
    f"{task.name}.{method.name}": (task, method)
    for task in TASKS.values()
    for method in task.methods
    if method.family == "recommended"
}

#: How a caller says where results go: a folder, or the path of the result.
PLACES = {
    "folder": ".",
    "half_path": "half.nii.gz",
    "smoothed_path": "smoothed.nii",
    "resampled_path": "resampled.nii",
}
# What is in the folder of a cache is joblib's affair.
WRITERS = [
    name
    for name, (_, method) in RECIPES.items()
    if PLACES.keys() & inspect.signature(method.function).parameters.keys()
    and not name.startswith("caching.")
]
MASKED = [
    name
    for name, (_, method) in RECIPES.items()
    if "masks" in inspect.signature(method.function).parameters
]

#: What a file may be like. Voxels far from zero, as of a scan.
KINDS = {
    "int16": {},
    "big-endian": {"dtype": np.dtype(">i2")},
    "NIfTI-2": {"kind": nib.Nifti2Image},
    "slope and intercept": {"slope": 0.5, "inter": 100.0},
    "float32": {"dtype": np.float32},
}

#: nilearn says so when whole numbers are resampled.
pytestmark = pytest.mark.filterwarnings("ignore:Casting data from")


@pytest.fixture(autouse=True, scope="module")
def _no_workers_stay():
    yield
    conditions.end_workers()


@pytest.fixture(autouse=True)
def _temporary(tmp_path, monkeypatch):
    """Let methods make their own folders here."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))


@pytest.fixture(scope="module")
def elsewhere():
    """Give two processes: one is for Dask, which changes it, and both for two at once."""
    started = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, started) as pool:
        yield pool
        for ended in [pool.submit(end_workers) for _ in range(2)]:
            ended.result()


def end_workers():
    time.sleep(1)  # so that each process gets one of two calls
    # A process that ends waits for the workers of joblib, which would be kept for minutes.
    conditions.end_workers()


def ending(name):
    return RECIPES[name][1].ending or ".nii.gz"


def written(name, folder, **choices):
    """Write a run that a recipe takes, with all that a header has."""
    folder.mkdir(exist_ok=True, parents=True)
    path = save_run(folder / f"bold{ending(name)}", **choices)
    affine = np.diag([-3, 3, 3.5, 1])
    affine[:3, 3] = 90, -126, -72

    def complete(header):
        header.set_xyzt_units("mm", "msec")
        header.set_zooms((3, 3, 3.5, 2200))
        header.set_sform(affine, 4)
        header.set_qform(affine, 1)
        header["descrip"] = b"a run"
        header["cal_min"], header["cal_max"] = 400, 1500

    return rewritten(path, complete)


def rewritten(path, changed):
    """Write a file again as it is, after a change of its header or of the values as stored."""
    img = nib.load(path)
    header, stored = img.header.copy(), np.array(img.dataobj.get_unscaled())
    header.set_slope_inter(img.dataobj.slope, img.dataobj.inter)
    header.set_data_offset(0)
    changed(header if changed.__code__.co_varnames[0] == "header" else stored)
    with nib.openers.Opener(path, "wb") as file:
        header.write_to(file)
        file.write(stored.astype(header.get_data_dtype()).tobytes(order="F"))
    return path


def cut_off(path):
    """Leave the first half of a file."""
    os.truncate(path, path.stat().st_size // 2)
    return path


def given(name, path):
    return [path] if RECIPES[name][0].form else path


def called(name, path, **choices):
    """Call a recipe here; in a process of ours, return what can be sent."""
    return RECIPES[name][1].function(given(name, path), **choices)


def arrays(value):
    """Return the arrays of an image, an array, or a list of them; an error is raised."""
    several = value if isinstance(value, list) else [value]
    for one in several:
        if isinstance(one, Exception):
            raise one
    return [np.asanyarray(getattr(one, "dataobj", one), dtype=np.float64) for one in several]


def arrays_called(name, path, temporary, **choices):
    tempfile.tempdir = str(temporary)
    return arrays(called(name, path, **choices))


def result_of(name, path, elsewhere, **choices):
    """Return the arrays that a recipe returns."""
    if source.uses(RECIPES[name][1].function, "dask"):
        return elsewhere.submit(arrays_called, name, path, tempfile.tempdir, **choices).result()
    return arrays(called(name, path, **choices))


def place(name, folder):
    """Return what tells a writer to put its results into a folder."""
    folder.mkdir(exist_ok=True)
    parameters = inspect.signature(RECIPES[name][1].function).parameters
    return {place: folder / made for place, made in PLACES.items() if place in parameters}


def plain_way(name, path):
    """Return what the first method of the same group returns: one of nilearn or nibabel."""
    task, method = RECIPES[name]
    first = next(one for one in task.methods if one.group == method.group)
    assert first.name != method.name or first.family == "recommended"
    return arrays(first.function(given(name, str(path))))


def assert_close(name, value, expected):
    for one, other in zip(value, expected, strict=True):
        np.testing.assert_allclose(one, other, max(RECIPES[name][0].tolerance, 2e-7))


def test_there_are_recipes_of_each_kind():
    assert len(RECIPES) >= 11
    assert {name.partition(".")[0] for name in WRITERS} >= {"math_in_parallel", "many_images"}
    assert MASKED


@pytest.mark.parametrize("name", RECIPES)
def test_a_path_is_as_good_as_its_name(name, tmp_path, elsewhere):
    path = written(name, tmp_path)
    value = result_of(name, Path(path), elsewhere)
    for one, other in zip(value, result_of(name, str(path), elsewhere), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", RECIPES)
def test_it_returns_what_the_plain_way_does(name, kind, tmp_path, elsewhere):
    path = written(name, tmp_path, **KINDS[kind])
    assert_close(name, result_of(name, path, elsewhere), plain_way(name, path))


def images_of(name, path, folder, elsewhere):
    """Return the images that a recipe makes: those that it returns, and those that it saves."""
    if name in WRITERS:
        result_of(name, path, elsewhere, **place(name, folder))
        return [nib.load(made) for made in folder.glob("*.nii*")]
    value = called(name, path)
    return [one for one in (value if isinstance(value, list) else [value]) if not is_array(one)]


def is_array(value):
    return isinstance(value, np.ndarray)


#: nilearn itself makes what these return, so that header and digits are those that it gives.
BY_NILEARN = ("clean.masked_at_once", "model.masked_ols", "model.masked_ar1", "caching.")


# What is on another grid has another header: see test_smooth_and_resample.
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name", [name for name in RECIPES if not name.startswith(("resample.", "model.", "caching."))]
)
def test_an_image_that_it_makes_keeps_the_header(name, kind, tmp_path, elsewhere):
    path = written(name, tmp_path / "raw", **KINDS[kind])
    run = nib.load(path)
    made = images_of(name, path, tmp_path / "made", elsewhere)
    assert bool(made) == (
        "mean" in name or name.startswith(("math_", "many_", "smooth.", "clean."))
    ), name
    for number, img in enumerate(made):
        saved = tmp_path / f"saved-{number}.nii"
        nib.save(img, saved)
        again = nib.load(saved)
        values = np.asanyarray(img.dataobj, dtype=img.get_data_dtype())
        np.testing.assert_array_equal(again.get_fdata(), values)
        for one in (img, again):
            assert type(one) is type(run)
            np.testing.assert_array_equal(one.affine, run.affine)
            for form in ("get_sform", "get_qform"):
                matrix, code = getattr(one, form)(coded=True)
                expected, expected_code = getattr(run, form)(coded=True)
                assert code == expected_code
                np.testing.assert_array_equal(matrix, expected)
            dimensions = len(one.shape)
            assert one.header.get_zooms() == run.header.get_zooms()[:dimensions]
            assert one.header.get_xyzt_units() == ("mm", "msec")
            assert one.header.endianness == run.header.endianness
            assert one.header["descrip"] == run.header["descrip"]
            if name.startswith(("math_", "smooth.", "clean.")):  # whose values have another range
                assert (one.header["cal_min"], one.header["cal_max"]) == (0, 0)
            assert one.get_data_dtype().kind == "f"


def open_under(folder):
    """Return the files below a folder that this process or one of its children has open."""
    here = psutil.Process()
    found = []
    for process in [here, *here.children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            found += [file.path for file in process.open_files()]
            found += [part.path for part in process.memory_maps()]
    return sorted(path for path in found if path.startswith(str(folder)))


def open_after(name, path, folder):
    """Call a recipe, and return what is open while its result is kept."""
    kept = []
    with contextlib.suppress(Exception):
        kept.append(called(name, path))
    return open_under(folder), len(kept)


@pytest.mark.parametrize("state", ["whole", "cut off"])
@pytest.mark.parametrize("name", RECIPES)
def test_it_closes_what_it_opens(name, state, tmp_path, elsewhere):
    path = written(name, tmp_path / "raw")
    if state == "cut off":
        cut_off(path)
    if source.uses(RECIPES[name][1].function, "dask"):
        found, done = elsewhere.submit(open_after, name, path, path.parent).result()
    else:
        found, done = open_after(name, path, path.parent)
    assert found == []
    assert done or state == "cut off"


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_an_opened_image_is_closed_behind_its_block_also_after_an_error(ending, tmp_path):
    path = save_run(tmp_path / f"bold{ending}")
    with recipes.opened_image(path) as img:
        assert not img.dataobj.file_like.closed
    assert img.dataobj.file_like.closed
    with pytest.raises(KeyError), recipes.opened_image(str(path)) as img:
        raise KeyError
    assert img.dataobj.file_like.closed


def mask_on(path, affine=None, shape=SHAPE[:3]):
    voxels = np.zeros(shape, "uint8")
    voxels[2:5, 1:4] = 1
    return nib.Nifti1Image(voxels, nib.load(path).affine if affine is None else affine)


@pytest.mark.parametrize("name", MASKED)
def test_a_mask_of_ones_own_gives_what_niftimasker_gives(name, tmp_path):
    path = written(name, tmp_path)
    mask = mask_on(path)
    nib.save(mask, tmp_path / "mask.nii.gz")
    expected = NiftiMasker(mask, standardize=None).fit_transform(path).mean(axis=1)
    for masks in ([mask], [tmp_path / "mask.nii.gz"], [str(tmp_path / "mask.nii.gz")]):
        (signal_,) = called(name, path, masks=masks)
        np.testing.assert_allclose(signal_, expected, 1e-5)


@pytest.mark.parametrize("name", MASKED)
def test_a_mask_on_another_grid_is_refused_in_a_sentence(name, tmp_path):
    path = written(name, tmp_path)
    moved = nib.load(path).affine.copy()
    moved[0, 3] += 1
    wrong = [mask_on(path, moved), mask_on(path, shape=(8, 7, 5)), mask_on(path, shape=(7, 8, 6))]
    for mask in wrong:
        with pytest.raises(ValueError, match=r"not on the grid of the image.*resample_to_img"):
            called(name, path, masks=[mask_on(path), mask])
    assert open_under(tmp_path) == []


@pytest.mark.filterwarnings("ignore:Non-finite values detected", "ignore::RuntimeWarning")
@pytest.mark.parametrize("slope", [1.0, 0.5])
# Cleaning needs more volumes than these runs have: see test_clean.
@pytest.mark.parametrize("name", [name for name in RECIPES if not name.startswith("clean.")])
def test_nan_is_taken_as_nilearn_takes_it(name, slope, tmp_path, elsewhere):
    path = written(name, tmp_path, dtype=np.float32, slope=slope, inter=3.0 * (slope != 1))

    def hole(stored):
        stored[2, 3, 1, 3] = stored[3:5, 2, 4, -1] = np.nan
        stored[1, 1, 1, 2] = stored[5, 5, 3, 0] = np.inf

    rewritten(path, hole)
    assert_close(name, result_of(name, path, elsewhere), plain_way(name, path))
    if name.startswith("many_"):
        (signals,) = result_of(name, path, elsewhere, folder=tmp_path / "made")
        assert np.isfinite(signals).all()
        (mean,) = (tmp_path / "made").glob("*_mean.nii")
        expected = mean_img(path, copy_header=True).get_fdata()
        np.testing.assert_allclose(nib.load(mean).get_fdata(), expected, 1e-6)


@pytest.mark.parametrize("name", WRITERS)
def test_two_at_once_do_not_disturb_each_other(name, tmp_path, elsewhere):
    """Two runs of the same name, again and again into the same folder."""
    paths = [written(name, tmp_path / one, slope=1.0 + n) for n, one in enumerate("ab")]
    folder = tmp_path / "made"
    choices = place(name, folder) if "folder" in place(name, folder) else {}
    for _ in range(4):
        jobs = [
            elsewhere.submit(arrays_called, name, path, tempfile.tempdir, **choices)
            for path in paths
        ]
        for job, path in zip(jobs, paths, strict=True):
            assert_close(name, job.result(), plain_way(name, path))
        for made in folder.iterdir():
            made.unlink()


SMALLEST_BYTES = 64
KILLED = f"""
import resource, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import pathlib, tempfile
import test_recipes as here
if __name__ == "__main__":
    name, path, folder, temporary = sys.argv[1:]
    tempfile.tempdir = temporary
    choices = here.place(name, pathlib.Path(folder))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, ({SMALLEST_BYTES}, {SMALLEST_BYTES}))
    print(here.called(name, path, **choices))
"""


@pytest.mark.parametrize("name", WRITERS)
def test_one_that_is_killed_while_it_writes_leaves_nothing_under_the_final_name(
    name, tmp_path, elsewhere
):
    path = written(name, tmp_path / "raw")
    folder = tmp_path / "made"
    (tmp_path / "killed.py").write_text(KILLED)
    ended = subprocess.run(
        [sys.executable, tmp_path / "killed.py", name, path, folder, tempfile.tempdir],
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    # The method itself is ended by the kernel; a worker is told that it cannot write on.
    assert ended.returncode == -signal.SIGXFSZ or "File too large" in ended.stdout, ended.stderr
    assert [one.name for one in folder.iterdir() if not one.name.startswith(".unfinished-")] == []
    assert_close(
        name, result_of(name, path, elsewhere, **place(name, folder)), plain_way(name, path)
    )


@pytest.mark.parametrize("name", WRITERS)
def test_one_that_fails_in_the_middle_leaves_nothing_unfinished(name, tmp_path, elsewhere):
    path = cut_off(written(name, tmp_path / "raw"))
    with contextlib.suppress(Exception):
        result_of(name, path, elsewhere, **place(name, tmp_path / "made"))
    # The index of a file that is cut off is whole.
    assert [one.suffix for one in (tmp_path / "made").iterdir()] in ([], [".gzidx"])


@pytest.mark.parametrize("name", [name for name in WRITERS if "indexed" in name])
def test_an_index_is_of_one_file_in_one_state(name, tmp_path):
    """Two files of one name, and a file that was replaced by one of another length."""
    one, other = (written(name, tmp_path / folder, slope=n) for folder, n in (("a", 1), ("b", 2)))
    for path in (one, other):
        assert_close(name, arrays(called(name, path)), plain_way(name, path))
    written(name, tmp_path / "a", shape=(9, 9, 9, 9))
    assert_close(name, arrays(called(name, one)), plain_way(name, one))
    (kept,) = Path(tempfile.tempdir).iterdir()
    assert kept.stat().st_mode & 0o077 == 0
    assert len(list(kept.iterdir())) == 3


#: A whole number that float32 does not hold.
LARGE = 2**30 + 1


# The mean of a region whose voxels differ has digits of its own, and so has what is cleaned,
# fitted or solved for.
@pytest.mark.parametrize(
    "name",
    [
        name
        for name in RECIPES
        if not name.startswith(
            ("resample.atlas_to_run", "clean.", "atlas_signals.maps", *BY_NILEARN)
        )
    ],
)
def test_it_returns_every_digit_or_says_that_it_rounds(name, tmp_path, elsewhere):
    path = written(name, tmp_path, dtype=np.int32)

    def fill(stored):
        stored[:] = 0
        stored[:4] = LARGE

    rewritten(path, fill)
    value = result_of(name, path, elsewhere)
    rounds = {float(one.max()) for one in value}.isdisjoint({LARGE, LARGE / 2})
    function = RECIPES[name][1].function
    text = pasted.pasted(Path(function.__code__.co_filename), function.__name__)
    says = "round" in text.before + text.code
    assert rounds == says
