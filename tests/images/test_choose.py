import gzip
import os
import re
import socket
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from conftest import SHAPE, save_run

from benchmarks.errors import DataError, UnitError
from benchmarks.images import choose, generate


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """Refuse the network, as on a machine without one."""

    def refused(*_, **__):
        raise OSError(-2, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", refused)
    choose._development_fmri.cache_clear()


@pytest.fixture
def short_example(monkeypatch):
    monkeypatch.setattr(generate, "VOLUMES", 4)


def test_a_path_comes_before_everything(fmri_path, monkeypatch, tmp_path):
    other = save_run(tmp_path / "other.nii")
    monkeypatch.setenv("FMRI", str(other))
    monkeypatch.setenv("DATA", "example4d")
    assert choose.choose(fmri_path).path == fmri_path
    assert choose.choose().path == other


@pytest.mark.usefixtures("short_example")
def test_a_named_data_set_comes_before_the_default(monkeypatch):
    monkeypatch.setenv("DATA", "example4d")
    file = choose.choose()
    assert file.path.name.startswith("example4d")
    assert "DATA=example4d" in file.reason


@pytest.mark.usefixtures("short_example")
def test_without_network_the_default_is_the_packaged_scan_and_the_reason_is_said():
    file = choose.choose()
    assert file.shape == (128, 96, 24, 4)
    assert "cannot be had" in file.reason
    assert "Name or service not known" in file.reason


def test_a_run_that_nilearn_keeps_is_the_default(monkeypatch, tmp_path):
    folder = tmp_path / "development_fmri" / "development_fmri"
    folder.mkdir(parents=True)
    kept = save_run(folder / "sub-pixar123_task-pixar_space-MNI_desc-preproc_bold.nii.gz")
    monkeypatch.setenv("NILEARN_DATA", str(tmp_path))
    assert choose.choose().path == kept


def test_a_data_set_that_cannot_be_had_or_does_not_exist_is_an_error(monkeypatch):
    monkeypatch.setenv("DATA", "development_fmri")
    with pytest.raises(DataError, match=r"osf\.io cannot be reached"):
        choose.choose()
    monkeypatch.setenv("DATA", "haxby")
    with pytest.raises(DataError, match="development_fmri, example4d"):
        choose.choose()


@pytest.mark.usefixtures("short_example")
def test_a_download_that_hangs_is_given_up(monkeypatch):
    class Connection:
        def close(self):
            """Do nothing."""

    def hangs(*_, **__):
        raise subprocess.TimeoutExpired("fetch", choose.DOWNLOAD_SECONDS)

    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: Connection())
    monkeypatch.setattr(subprocess, "run", hangs)
    assert "took longer than" in choose.choose().reason


def test_the_description_holds_what_figures_depend_on(tmp_path):
    path = save_run(tmp_path / "a.nii.gz", slope=2.0)
    described = choose.choose(path)
    assert described.shape == SHAPE
    assert (described.dtype, described.scaled, described.compression) == ("int16", True, "gz")
    assert described.raw_bytes == np.prod(SHAPE) * 2
    assert described.file_bytes == path.stat().st_size
    plain = choose.choose(save_run(tmp_path / "a.nii", dtype=np.float32))
    assert (plain.dtype, plain.scaled, plain.compression) == ("float32", False, "none")


def test_a_file_that_changes_is_described_again(tmp_path):
    path = save_run(tmp_path / "a.nii")
    before = choose.choose(path).sha256
    save_run(path, slope=3.0)
    assert choose.choose(path).sha256 != before


def broken(tmp_path, name):
    """Make a broken file of a kind."""
    path = tmp_path / name
    sound = save_run(tmp_path / "sound.nii.gz").read_bytes()
    plain = gzip.decompress(sound)
    contents = {
        "empty.nii.gz": b"",
        "zeros.nii.gz": bytes(2000),
        "text.nii": b"not an image " * 100,
        "header_only.nii": plain[:352],
        "cut.nii": plain[:-100],
        "truncated.nii.gz": sound[: len(sound) // 2],
        "no_trailer.nii.gz": sound[:-8],
        "wrong_crc.nii.gz": sound[:-8] + bytes([sound[-8] ^ 255]) + sound[-7:],
        "unknown_type.nii": plain[:70] + b"\x99\x99" + plain[72:],
    }
    path.write_bytes(contents[name])
    return path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("empty.nii.gz", "is empty"),
        ("zeros.nii.gz", "is not compressed"),
        ("text.nii", "cannot be opened"),
        ("header_only.nii", "cut off"),
        ("cut.nii", "cut off"),
        ("truncated.nii.gz", "is damaged"),
        # So small a file is unpacked to its end for the header already.
        ("no_trailer.nii.gz", "is damaged|cannot be opened"),
        ("wrong_crc.nii.gz", "is damaged|cannot be opened"),
        ("unknown_type.nii", "cannot be opened"),
    ],
)
def test_a_broken_file_is_refused_with_its_name(tmp_path, name, message):
    path = broken(tmp_path, name)
    with pytest.raises(DataError, match=message) as caught:
        choose.check(choose.choose(path))
    assert str(path) in str(caught.value)


def test_what_is_no_4d_image_is_refused(tmp_path):
    for shape in ((8, 7, 6), (8, 7, 6, 1), (8, 7, 6, 3)):
        path = save_run(tmp_path / "a.nii", shape=shape)
        with pytest.raises(DataError, match="at least 4 volumes"):
            choose.choose(path)
    nib.save(nib.Nifti1Image(np.zeros(SHAPE, np.complex64), np.eye(4)), tmp_path / "c.nii")
    with pytest.raises(DataError, match="complex64"):
        choose.choose(tmp_path / "c.nii")


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        choose.choose(tmp_path / "missing.nii")
    with pytest.raises(DataError, match="is a folder"):
        choose.choose(tmp_path)


def test_sound_files_pass_the_check(fmri_path, tmp_path):
    choose.check(choose.choose(fmri_path))
    choose.check(choose.choose(save_run(tmp_path / "a b é.nii")))


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_concat_joins_the_run_to_itself(tmp_path, monkeypatch, ending):
    path = save_run(tmp_path / f"run{ending}", slope=2.0, inter=5.0)
    monkeypatch.setenv("FMRI", str(path))
    monkeypatch.setenv("CONCAT", "3")
    file = choose.choose()
    choose.check(file)
    one, three = nib.load(path), nib.load(file.path)
    np.testing.assert_array_equal(
        three.get_fdata(), np.concatenate([one.get_fdata()] * 3, axis=-1)
    )
    np.testing.assert_array_equal(three.affine, one.affine)
    assert three.header.get_zooms() == one.header.get_zooms()
    assert (file.dtype, file.scaled) == ("int16", True)
    assert file.path.suffixes[-1] == path.suffixes[-1]
    written = file.path.stat().st_mtime_ns
    assert choose.choose().path.stat().st_mtime_ns == written


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_run_is_not_joined_to_itself(tmp_path, monkeypatch, damage):
    path = save_run(tmp_path / "run.nii.gz", shape=(16, 16, 12, 8))
    content = bytearray(path.read_bytes())
    if damage == "cut":
        del content[len(content) // 2 :]
    else:
        content[-6] ^= 1  # of the checksum
    path.write_bytes(content)
    monkeypatch.setenv("FMRI", str(path))
    monkeypatch.setenv("CONCAT", "2")
    with pytest.raises(DataError, match=rf"{path} is damaged"):
        choose.choose()
    assert not list(Path(os.environ["FMRI_BENCH_CACHE"]).glob("run-x2*"))


def test_a_proxy_is_left_to_the_download(monkeypatch):
    def refused(*_, **__):
        raise OSError(111, "Connection refused")

    monkeypatch.setattr(choose.socket, "create_connection", refused)
    monkeypatch.setattr(choose, "getproxies", dict)
    assert choose._unreachable() == "osf.io cannot be reached: Connection refused"
    monkeypatch.setattr(choose, "getproxies", lambda: {"https": "http://proxy:3128"})
    assert choose._unreachable() == ""


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "²"])
def test_concat_must_be_a_count(fmri_path, monkeypatch, text):
    monkeypatch.setenv("FMRI", str(fmri_path))
    monkeypatch.setenv("CONCAT", text)
    with pytest.raises(UnitError, match=f"CONCAT={re.escape(text)} is not a whole number"):
        choose.choose()


@pytest.mark.usefixtures("short_example")
def test_the_packaged_scan_is_extended_the_same_way_every_time(monkeypatch, tmp_path):
    first = generate.example4d()
    monkeypatch.setenv("FMRI_BENCH_CACHE", str(tmp_path))
    again = generate.example4d()
    assert again != first
    assert again.read_bytes() == first.read_bytes()
    img, plain = nib.load(first), nib.load(first.with_suffix(""))
    assert img.get_data_dtype() == np.int16
    np.testing.assert_array_equal(img.get_fdata(), plain.get_fdata())


def test_the_noise_is_like_that_of_epi(monkeypatch):
    monkeypatch.setattr(generate, "VOLUMES", 40)
    values = nib.load(generate.example4d()).get_fdata()
    mean, deviation = values.mean(-1), values.std(-1)
    brain = mean > 300
    assert np.median(deviation[brain] / mean[brain]) == pytest.approx(0.015, rel=0.1)
    noise = (values - mean[..., None])[brain]
    correlation = (noise[:, 1:] * noise[:, :-1]).mean() / noise.var()
    assert correlation == pytest.approx(generate.AUTOCORRELATION, abs=0.06)


def test_a_cache_that_cannot_be_written_is_an_error_that_names_it(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("FMRI_BENCH_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DataError, match="FMRI_BENCH_CACHE"):
        generate.example4d()
