"""Signals from masks: every way gives those of nilearn's masker, and leaves nothing behind."""

import runpy
from multiprocessing.shared_memory import SharedMemory

import nibabel as nib
import numpy as np
import pytest
from conftest import save_run

from benchmarks.tasks import task as tasks

HERE = runpy.run_path(str(tasks.example_paths()["mask_in_parallel"]), run_name="definitions")

pytestmark = pytest.mark.filterwarnings("ignore:Non-finite values detected:UserWarning")


@pytest.mark.parametrize("method", ["numpy_one_process", "one_pass", "one_pass_gzip"])
def test_values_that_are_not_finite_count_as_zero_as_in_nilearn(method, tmp_path):
    path = str(save_run(tmp_path / "holes.nii", dtype=np.float32))
    img = nib.load(path, mmap=False)
    data = np.asanyarray(img.dataobj).copy()
    data[2, 3, 1, 3], data[5, 5, 3, 0], data[4, 4, 4, 2] = np.nan, np.inf, -np.inf
    nib.save(nib.Nifti1Image(data, img.affine, img.header), path)
    expected = np.array(HERE["masker_one_process"](path))
    assert expected.shape == (3, 5)
    np.testing.assert_allclose(HERE[method](path), expected, 1e-5)


def test_shared_memory_is_removed_when_a_worker_fails(tmp_path, monkeypatch):
    path = str(save_run(tmp_path / "bold.nii"))
    made = []

    def noted(*args, **choices):
        made.append(SharedMemory(*args, **choices))
        return made[-1]

    other = nib.Nifti1Image(np.ones((2, 2, 2), np.uint8), np.eye(4))
    names = HERE["numpy_shared_memory"].__globals__
    monkeypatch.setitem(names, "SharedMemory", noted)
    monkeypatch.setitem(names, "thirds", lambda _: [other] * 3)
    monkeypatch.setitem(names, "Parallel", lambda **_: lambda jobs: [f(*a) for f, a, _ in jobs])
    with pytest.raises(IndexError):
        HERE["numpy_shared_memory"](path)
    with pytest.raises(FileNotFoundError):
        SharedMemory(made[0].name)
