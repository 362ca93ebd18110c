"""Caching: what comes out of the folder is what nilearn computes, and only what is asked for."""

import runpy
import tempfile
from pathlib import Path

import kinds
import numpy as np
import pytest
from conftest import save_run, since
from nilearn.maskers import nifti_masker

from benchmarks.files import EXAMPLES
from benchmarks.tasks import chapter
from benchmarks.tasks.task import task_named


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Return the definitions of the example, with a folder for temporary files of its own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return runpy.run_path(str(EXAMPLES / "plot_caching.py"), run_name="definitions")


def saved(folder, kind):
    choices = dict(kinds.FILES[kind])
    return save_run(folder / choices.pop("name"), shape=(10, 9, 8, 12), **choices)


@pytest.fixture
def extracted(monkeypatch):
    """Return a list that grows with each time a masker reads an image."""
    name = "filter_and_extract"
    if not hasattr(nifti_masker, name):  # before nilearn 0.12
        name = f"_{name}"
    seen, original = [], getattr(nifti_masker, name)

    def noted(*args, **kwargs):
        seen.append(args[0])
        return original(*args, **kwargs)

    monkeypatch.setattr(nifti_masker, name, noted)
    return seen


@pytest.mark.parametrize("kind", kinds.FILES)
@pytest.mark.parametrize("name", ["second_call", "second_call_no_report"])
def test_a_second_call_reads_nothing_and_returns_the_same(here, name, kind, tmp_path, extracted):
    path = saved(tmp_path, kind)
    computed = here["no_cache"](path)
    first = here[name](path)
    assert len(extracted) == 2
    second = here[name](path)
    assert len(extracted) == 2
    # What is loaded was written by the same functions: not a bit may differ.
    np.testing.assert_array_equal(first, computed)
    np.testing.assert_array_equal(second, computed)


def test_every_first_call_is_one(here, tmp_path, extracted):
    path = saved(tmp_path, "int16, scaled")
    here["first_call"](path)
    here["first_call"](path)
    assert len(extracted) == 2


@since("nilearn", "0.13", "no volume was read for the report of a second call")
def test_without_a_report_the_volume_in_the_middle_is_not_read(here, tmp_path, monkeypatch):
    read, original = [], nifti_masker.compute_middle_image

    def noted(img):
        read.append(img)
        return original(img)

    monkeypatch.setattr(nifti_masker, "compute_middle_image", noted)
    path = saved(tmp_path, "int16, scaled")
    here["second_call_no_report"](path)
    assert not read
    here["second_call"](path)
    assert len(read) == 1


def test_a_loaded_image_is_found_by_its_voxels(here, tmp_path, extracted):
    path = saved(tmp_path, "int16, scaled")
    expected = here["masked_loaded"](path)
    for _ in range(2):
        np.testing.assert_array_equal(here["masked_loaded_second_call"](path), expected)
    assert len(extracted) == 2


@pytest.mark.parametrize("kind", kinds.FILES)
def test_only_the_loaded_image_gives_a_changed_file_away(here, kind, tmp_path):
    assert here["change_is_noticed"](saved(tmp_path, kind)) == (False, True)


def test_the_bytes_on_disk_are_those_of_the_signals_and_little_more(here, tmp_path):
    path = saved(tmp_path, "float32")
    kept = here["no_cache"](path).nbytes
    size = here["disk_for_each_byte"](path) * kept
    assert kept < size < kept + 100_000  # the code and the mask beside them
    assert not list(Path(tmp_path).glob("tmp*"))


def test_methods_that_find_what_was_left_are_known_to_be_such():
    methods = task_named("caching").methods
    named = {m.name for m in methods if m.name.endswith(("second_call", "no_report"))}
    assert set(chapter.about("caching").finds_left) == named
