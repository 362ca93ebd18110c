from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from conftest import save_run
from nibabel.openers import ImageOpener

from benchmarks.errors import DataError
from benchmarks.images import choose, variants
from benchmarks.images import header as headers


def values(image):
    img = nib.load(image.path)
    return img, img.get_fdata()


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_the_same_voxels_stand_in_a_plain_and_in_a_compressed_file(tmp_path, ending, kind):
    path = save_run(tmp_path / f"run{ending}", slope=75.5, inter=3.0, kind=kind)
    image = choose.choose(path)
    for name in ("nii", "nii_gz"):
        other = variants.of(image, name)
        assert other.path.name.endswith(name.replace("_", "."))
        assert (other.dtype, other.scaled) == ("int16", True)
        np.testing.assert_array_equal(values(other)[1], values(image)[1])
        np.testing.assert_allclose(values(other)[0].affine, values(image)[0].affine)
    own = "nii" if ending == ".nii" else "nii_gz"
    assert variants.of(image, own).path == image.path


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.dtype(">i2"), np.uint8])
@pytest.mark.parametrize("name", [name for name, form in variants.VARIANTS.items() if form.dtype])
def test_a_converted_run_has_the_values_of_the_run_and_its_own_type(tmp_path, dtype, name):
    image = choose.choose(save_run(tmp_path / "run.nii.gz", dtype=dtype))
    form = variants.VARIANTS[name]
    other = variants.of(image, name)
    assert other.dtype == form.dtype
    assert other.scaled == form.scaled
    assert (other.compression == "gz") == form.compressed
    proxy = nib.load(other.path).dataobj
    assert (proxy.inter != 0) == form.shifted
    expected, found = values(image)[1], values(other)[1]
    if name.startswith("int16"):  # without scaling, only the ratio of values is the same
        found = found * (expected.max() / found.max())
    np.testing.assert_allclose(found, expected, atol=1e-4 * expected.max())


def test_a_short_run_has_the_first_volumes(tmp_path, monkeypatch):
    image = choose.choose(save_run(tmp_path / "run.nii.gz"))
    assert variants.of(image, "short").path == image.path
    monkeypatch.setattr(variants, "SHORT_BYTES", 1)
    short = variants.of(image, "short")
    assert short.shape == (8, 7, 6, headers.LEAST_VOLUMES)
    np.testing.assert_array_equal(values(short)[1], values(image)[1][..., :4])


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_longer_runs_have_the_first_volumes_again_and_again(tmp_path, monkeypatch, ending):
    image = choose.choose(save_run(tmp_path / f"run{ending}", slope=75.5))
    monkeypatch.setattr(variants, "SHORT_BYTES", 1)
    short = values(variants.of(image, "short"))[1]
    for name, times in variants.LONGER.items():
        longer = variants.of(image, name)
        assert longer.path.name.endswith(f"{name}{ending}")
        np.testing.assert_array_equal(values(longer)[1], np.concatenate([short] * times, axis=3))


def test_another_format_is_written_as_nifti(tmp_path):
    run = nib.load(save_run(tmp_path / "run.nii"))
    nib.save(nib.MGHImage(run.get_fdata(dtype=np.float32), run.affine), tmp_path / "run.mgz")
    image = choose.choose(tmp_path / "run.mgz")
    for name in ("nii", "short", "scaled_nii_gz"):
        other = variants.of(image, name)
        np.testing.assert_allclose(values(other)[1], values(image)[1], rtol=1e-4)


def test_a_form_is_made_once_and_found_again(tmp_path):
    image = choose.choose(save_run(tmp_path / "run.nii.gz"))
    assert variants.find(image, "nii") is None
    made = variants.of(image, "nii")
    before = made.path.stat().st_mtime_ns
    assert variants.find(image, "nii") == variants.of(image, "nii") == made
    assert made.path.stat().st_mtime_ns == before


def test_an_unknown_form_is_refused_with_those_there_are(tmp_path):
    image = choose.choose(save_run(tmp_path / "run.nii.gz"))
    with pytest.raises(DataError, match="no form 'mp3'; there are: nii, nii_gz, short"):
        variants.of(image, "mp3")


@pytest.mark.parametrize("name", ["nii", "nii_gz", "short", "x2", "float32_nii", "int16_nii_gz"])
def test_the_header_of_a_made_file_has_a_number_for_the_slope(tmp_path, name):
    run = nib.load(save_run(tmp_path / "run.nii"))
    nib.save(nib.MGHImage(run.get_fdata(dtype=np.float32), run.affine), tmp_path / "run.mgz")
    made = variants.of(choose.choose(tmp_path / "run.mgz"), name)
    with ImageOpener(str(made.path)) as stream:
        header = nib.Nifti1Header.from_fileobj(stream)
    assert np.isfinite([header["scl_slope"], header["scl_inter"]]).all()


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_many_images_are_copies_of_the_short_run(tmp_path, ending):
    image = choose.choose(save_run(tmp_path / f"run{ending}"))
    assert variants.find(image, "images4").path == image.path  # which is short already
    several, other = variants.of(image, "images4"), variants.of(image, "images2")
    assert several.images == 4
    assert several.shape == image.shape
    assert several.raw_bytes == 4 * image.raw_bytes
    assert several.file_bytes == 4 * image.file_bytes
    assert len({several.sha256, other.sha256, image.sha256}) == 3
    assert variants.find(image, "images4_x2") is None  # the longer run is not made yet
    longer = variants.of(image, "images4_x2")
    assert (longer.images, longer.shape[3]) == (4, 2 * image.shape[3])
    assert variants.find(image, "images4_x2") == longer


def test_without_room_for_copies_nothing_is_measured(tmp_path, monkeypatch):
    several = variants.of(choose.choose(save_run(tmp_path / "run.nii")), "images4")
    variants.check_room(several)
    free = SimpleNamespace(free=several.file_bytes)
    monkeypatch.setattr(variants.shutil, "disk_usage", lambda _: free)
    with pytest.raises(DataError, match=r"4 copies of run\.nii .* need .*set TMPDIR"):
        variants.check_room(several)
