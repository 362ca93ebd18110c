import runpy
import tempfile

import nibabel as nib
import numpy as np
import pytest
from conftest import save_run, since
from kinds import FILES

from benchmarks.files import EXAMPLES

EXAMPLE = runpy.run_path(str(EXAMPLES / "plot_reuse.py"), run_name="definitions")


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("maker", ["array_image", "saved_image"])
def test_an_image_made_for_reuse_has_the_header_and_the_values_of_the_run(
    maker, kind, tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    choices = dict(FILES[kind])
    path = save_run(tmp_path / choices.pop("name"), **choices)
    run, made = nib.load(path), EXAMPLE[maker](path)
    assert type(made) is type(run)
    assert made.get_data_dtype().newbyteorder("=") == np.float32  # in the order of the run
    np.testing.assert_array_equal(made.affine, run.affine)
    for name in ("sform_code", "qform_code", "xyzt_units", "pixdim"):
        np.testing.assert_array_equal(made.header[name], run.header[name])
    np.testing.assert_array_equal(made.get_fdata(), run.get_fdata(dtype=np.float32))
    assert nib.is_proxy(made.dataobj) == (maker == "saved_image")


@since("nilearn", "0.13.1", "what it has read of an image stays with it")
def test_nilearn_reads_an_array_image_never_and_a_loaded_one_once_more(fmri_path):
    assert EXAMPLE["reads_of_three"](fmri_path) == (3, 1, 0, 3)


def test_only_the_first_call_makes_the_image(fmri_path):
    first = EXAMPLE["once_made"](EXAMPLE["array_image"], fmri_path)
    assert EXAMPLE["once_made"](EXAMPLE["array_image"], fmri_path) is first
