"""Smoothed and resampled volume by volume, a run is what nilearn makes of it at once."""

import tempfile
from pathlib import Path

import kinds
import nibabel as nib
import numpy as np
import pytest
from conftest import save_run, since
from nilearn.image import resample_to_img, smooth_img

from benchmarks.tasks import task as tasks

SMOOTH, RESAMPLE, ORDER = (
    {method.name: method.function for method in tasks.from_example(path).methods}
    for path in (tasks.example_paths()[name] for name in ("smooth", "resample", "array_order"))
)
ATLAS_FOR = RESAMPLE["at_once"].__globals__["atlas_for"]

KINDS = kinds.FILES | {"NaN": {"name": "bold.nii.gz", "dtype": np.float32}}

pytestmark = [
    pytest.mark.filterwarnings("ignore::RuntimeWarning:nibabel"),
    # nilearn says so of whole numbers, and of NaN.
    pytest.mark.filterwarnings("ignore:Casting data from"),
    pytest.mark.filterwarnings("ignore:NaNs or infinite values:RuntimeWarning"),
]


@pytest.fixture(params=KINDS)
def run(request, tmp_path, monkeypatch):
    """Write a run of each kind, with units, codes, an extension, and NaN where it can have it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    choices = dict(KINDS[request.param])
    path = save_run(tmp_path / choices.pop("name"), **choices)
    img = nib.load(path)
    data = np.asanyarray(img.dataobj).copy()
    if request.param == "NaN":
        data[2, 3, 1, 2], data[4, 3, 3] = np.nan, np.inf
    header = img.header.copy()
    header.set_xyzt_units("mm", "sec")
    header.set_sform(img.affine, code="mni")
    header.set_qform(img.affine, code="scanner")
    header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"kept"))
    nib.save(type(img)(data, img.affine, header), path)
    return path


def as_float32(img):
    return np.asanyarray(img.dataobj).astype(np.float32)


@pytest.mark.parametrize("method", ["by_volume", "saved_at_once", "saved_by_volume"])
def test_smoothed_volume_by_volume_is_what_nilearn_returns_at_once(run, method):
    expected, found = smooth_img(run, 6), SMOOTH[method](run)
    np.testing.assert_array_equal(as_float32(found), as_float32(expected))
    assert np.isfinite(as_float32(found)).all()
    assert not np.allclose(as_float32(found), as_float32(nib.load(run)), rtol=1e-3)


def test_nilearn_returns_the_same_bits_for_a_volume_as_for_the_run(run):
    img = nib.load(run)
    atlas = ATLAS_FOR(img)
    smoothed, resampled = smooth_img(run, 6).dataobj, resample_to_img(run, atlas).dataobj
    for n in range(img.shape[3]):
        one = img.slicer[..., n]
        assert_same(smooth_img(one, 6).dataobj, smoothed[..., n])
        assert_same(resample_to_img(one, atlas).dataobj, resampled[..., n])


def assert_same(one, other):
    assert one.dtype == other.dtype
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("method", ["by_volume", "saved_by_volume"])
def test_a_smoothed_run_has_the_header_of_the_run_but_for_the_type(run, method):
    check_header(SMOOTH[method](run), nib.load(run))


def check_header(found, run):
    assert type(found) is type(run)
    assert found.header.endianness == run.header.endianness
    assert found.get_data_dtype() == np.dtype(np.float32).newbyteorder(run.header.endianness)
    np.testing.assert_array_equal(found.affine, run.affine)
    assert found.header.get_zooms() == run.header.get_zooms()
    assert found.header.get_xyzt_units() == ("mm", "sec")
    assert [int(found.header[code]) for code in ("sform_code", "qform_code")] == [4, 1]
    assert [extension.get_content() for extension in found.header.extensions] == [b"kept"]


def test_resampled_volume_by_volume_is_what_nilearn_returns_at_once(run):
    expected = resample_to_img(run, ATLAS_FOR(nib.load(run)))
    found = RESAMPLE["saved_by_volume"](run)
    np.testing.assert_array_equal(as_float32(found), as_float32(expected))
    assert np.abs(as_float32(found)[np.isfinite(as_float32(found))]).max() > 500


@since("nilearn", "0.13", "what it resamples has lost the repetition time")
def test_a_resampled_run_has_the_header_that_nilearn_gives_it_but_for_the_type(run):
    at_once, img = RESAMPLE["at_once"](run), nib.load(run)
    found = RESAMPLE["saved_by_volume"](run)
    assert type(found) is type(img)
    assert found.get_data_dtype() == np.dtype(np.float32).newbyteorder(img.header.endianness)
    np.testing.assert_array_equal(found.affine, at_once.affine)
    assert found.shape == at_once.shape
    for field in ("pixdim", "xyzt_units", "qform_code", "intent_code"):
        np.testing.assert_array_equal(found.header[field], at_once.header[field], field)
    # nilearn calls any space that of an aligned scan, and keeps the slices of before.
    assert found.header["sform_code"] == img.header["sform_code"]
    slices = [found.header[f"slice_{word}"] for word in ("code", "start", "end", "duration")]
    assert slices == [0, 0, 0, 0]
    assert found.header.get_zooms()[3] == img.header.get_zooms()[3]
    assert [extension.get_content() for extension in found.header.extensions] == [b"kept"]


def test_the_signal_of_a_region_is_the_same_volume_by_volume(run):
    expected = RESAMPLE["atlas_to_run"](run)
    np.testing.assert_allclose(RESAMPLE["atlas_to_run_by_volume"](run), expected, rtol=1e-6)
    assert np.ptp(expected) > 0


@pytest.mark.parametrize("kind", ["smooth", "resample"])
def test_what_is_interrupted_leaves_no_file_under_its_name(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run = save_run(tmp_path / "whole.nii", shape=(16, 16, 12, 8))
    broken = tmp_path / "bold.nii"
    broken.write_bytes(run.read_bytes()[:-5000])
    method = {"smooth": SMOOTH, "resample": RESAMPLE}[kind]["saved_by_volume"]
    with pytest.raises((OSError, ValueError)):
        method(str(broken))
    assert list(Path(tmp_path).rglob("*ed.nii*")) == []
    assert len(method(run).shape) == 4
    assert len(list(Path(tmp_path).rglob("*ed.nii"))) == 1


def test_two_jobs_never_write_to_one_file(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run = save_run(tmp_path / "bold.nii.gz")
    one, other = SMOOTH["saved_by_volume"](run), SMOOTH["saved_by_volume"](run)
    assert one.get_filename() != other.get_filename()


def test_arrays_are_in_the_order_that_their_names_say(run):
    whole = {name: function(run) for name, function in ORDER.items()}
    assert whole["fdata"].flags.f_contiguous
    assert whole["file_order"].flags.f_contiguous
    assert whole["c_order"].flags.c_contiguous
    assert whole["c_order_by_volume"].flags.c_contiguous
    assert whole["time_first"].flags.c_contiguous
    assert not whole["time_first"].flags.owndata
    np.testing.assert_array_equal(whole["time_first"].T, whole["file_order"])
    np.testing.assert_array_equal(whole["one_series"], whole["c_order"][4, 3, 3])
    np.testing.assert_array_equal(whole["one_slice"], whole["c_order"][4])
    np.testing.assert_array_equal(whole["one_volume"], whole["c_order"][..., 2])
