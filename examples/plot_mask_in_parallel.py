"""
Several masks in parallel
=========================

What is the leanest way to average a run within several masks?

Each mask gives one signal: the mean of its voxels at every time. No mask depends on another, so
they seem made for worker processes. But then every worker needs the data. This page compares
several methods to bring the data to the workers, and one that needs no workers.

All of it is measured on the first volumes of the run, so that it fits into memory however large
your file is.

The chapter says what follows from it: :ref:`chapter_masks`.
"""

# %%
# Three masks
# -----------
# The masks are made from the run itself, so that any file will do. The brighter voxels are split
# into thirds.

# sphinx_gallery_thumbnail_path = '_static/thumbnails/mask_in_parallel.svg'

from multiprocessing.shared_memory import SharedMemory

import nibabel as nib
import numpy as np
from joblib import Parallel, delayed
from nibabel.arrayproxy import ArrayProxy
from nilearn.image import new_img_like
from nilearn.maskers import NiftiMasker

from benchmarks.recipes import imported, mask_voxels, opened_image


def thirds(fmri_path):
    """Split the voxels that are brighter than the mean of the first volume into three masks."""
    img = nib.load(fmri_path)
    first = np.nan_to_num(img.dataobj[..., 0], posinf=0, neginf=0)
    bright = np.flatnonzero(first > first.mean())
    masks = np.zeros((3, *first.shape), dtype="uint8")
    for mask, voxels in zip(masks, np.array_split(bright, 3)):
        mask.ravel()[voxels] = 1
    return [nib.Nifti1Image(mask, img.affine) for mask in masks]


# %%
# With nilearn's masker
# ---------------------
# ``NiftiMasker`` reads an image, and returns an array with a row for each volume, and in it the
# voxels of the mask.


def masker_mean(img, mask):
    """Average an image within a mask, volume by volume."""
    return NiftiMasker(mask, standardize=None).fit_transform(img).mean(axis=1)


# %%
# Given the path, each worker reads the file for each of its masks.


def masker_path(fmri_path):
    """Let a masker in each worker read the file."""
    masks = thirds(fmri_path)
    return Parallel(n_jobs=2)(delayed(masker_mean)(fmri_path, mask) for mask in masks)


# %%
# Given an image whose data were read before, the workers get its array as well. The maskers read
# the file all the same. (They would use the array of an array image, which was not tried.)


def masker_loaded(fmri_path):
    """Hand each masker an image whose data were read before."""
    img = nib.load(fmri_path)
    img.get_fdata()
    masks = thirds(fmri_path)
    return Parallel(n_jobs=2)(delayed(masker_mean)(img, mask) for mask in masks)


# %%
# Without workers, one masker after the other reads the file.


def masker_one_process(fmri_path):
    """Let one masker after the other read the file, in this process."""
    return [masker_mean(fmri_path, mask) for mask in thirds(fmri_path)]


# %%
# An array image is read once, and all maskers use its array.


def masker_read_once(fmri_path):
    """Read the run once, and give the array image to one masker after the other."""
    img = nib.load(fmri_path)
    read = new_img_like(img, img.get_fdata())
    return [masker_mean(read, mask) for mask in thirds(fmri_path)]


# %%
# With NumPy
# ----------
# NumPy can index an array with a mask, so that no other library is needed. Like ``NiftiMasker``,
# this takes values that are not finite as zero.


def array_mean(data, mask):
    """Average an array within a mask on the same grid, volume by volume."""
    inside = data[np.asanyarray(mask.dataobj) != 0]
    return np.nan_to_num(inside, copy=False, posinf=0, neginf=0).mean(axis=0)


def numpy_array(fmri_path):
    """Hand the array to the workers; joblib passes it through a file that both map."""
    data = nib.load(fmri_path).get_fdata()
    return Parallel(n_jobs=2)(delayed(array_mean)(data, mask) for mask in thirds(fmri_path))


# %%
# The array can also be copied into shared memory, which the workers open by its name.


def shared_mean(name, shape, mask):
    """Average an array in shared memory within a mask."""
    memory = SharedMemory(name)
    try:
        return array_mean(np.ndarray(shape, buffer=memory.buf), mask)
    finally:
        memory.close()


def numpy_shared_memory(fmri_path):
    """Copy the array into shared memory, and hand the workers its name."""
    data = nib.load(fmri_path).get_fdata()
    memory = SharedMemory(create=True, size=data.nbytes)
    try:
        np.ndarray(data.shape, buffer=memory.buf)[:] = data
        jobs = (delayed(shared_mean)(memory.name, data.shape, mask) for mask in thirds(fmri_path))
        return Parallel(n_jobs=2)(jobs)
    finally:  # else it would stay until this process ends
        memory.close()
        memory.unlink()


# %%
# And without workers.


def numpy_one_process(fmri_path):
    """Read the run once, and average the array within one mask after the other."""
    data = nib.load(fmri_path).get_fdata()
    return [array_mean(data, mask) for mask in thirds(fmri_path)]


# %%
# In one pass
# -----------
# Each volume is read once, and averaged within every mask. That needs no worker, and no array of
# the whole run.
#
# ``opened_image`` unpacks a .nii.gz with the package ``isal``, which is faster than Python's own
# ``gzip``. ``ArrayProxy`` returns the values as they are stored, so that only the means have to be
# scaled. The voxels of a mask are looked up once, by their places in the file, where the first
# axis runs fastest; ``.T`` brings a volume into this order without a copy. ``mask_voxels`` refuses
# a mask on a grid other than that of the run.
#
# Like ``NiftiMasker``, this takes NaN and infinite values as zero; ``zero`` is how a zero is
# stored.


def one_pass(fmri_path, masks=None):
    """Average each volume within every mask as it is stored, and scale the means.

    A mask is an image or its path; by default, they are thirds of the brighter
    voxels. NaN and infinite values count as zero, as with ``NiftiMasker``.
    """
    with opened_image(fmri_path) as img:
        masks = masks or thirds(fmri_path)
        places = [np.flatnonzero(mask_voxels(mask, img).T) for mask in masks]
        proxy, dtype = img.dataobj, img.get_data_dtype()
        stored = ArrayProxy(proxy.file_like, (img.shape, dtype, proxy.offset))
        means, zero = np.empty((len(places), img.shape[3])), -proxy.inter / proxy.slope
        for volume in range(img.shape[3]):
            values = stored[..., volume].T.ravel()
            values = np.nan_to_num(values, nan=zero, posinf=zero, neginf=zero)
            means[:, volume] = [values[place].mean(dtype=float) for place in places]
    return list(means * proxy.slope + proxy.inter)


# %%
# The same with nibabel alone, which unpacks with Python's ``gzip``.


def one_pass_gzip(fmri_path):
    """Average each volume within every mask as it is stored, unpacked with gzip."""
    img = nib.load(fmri_path)
    places = [np.flatnonzero(mask_voxels(mask, img).T) for mask in thirds(fmri_path)]
    proxy, file_spec = img.dataobj, (img.shape, img.get_data_dtype(), img.dataobj.offset)
    stored = ArrayProxy(proxy.file_like, file_spec, keep_file_open=True)
    means, zero = np.empty((len(places), img.shape[3])), -proxy.inter / proxy.slope
    for volume in range(img.shape[3]):
        values = stored[..., volume].T.ravel()
        values = np.nan_to_num(values, nan=zero, posinf=zero, neginf=zero)
        means[:, volume] = [values[place].mean(dtype=float) for place in places]
    return list(means * proxy.slope + proxy.inter)


# %%
# Starting the workers
# --------------------
# joblib keeps its workers for the next call. The first call in a script has to start them, and
# each worker imports what its work needs: here nilearn's maskers, or NumPy alone.


def start_masker_workers(_fmri_path):
    """Start two workers, and import nilearn's maskers in both."""
    return Parallel(n_jobs=2)(delayed(imported)("nilearn.maskers") for _ in range(2))


def start_numpy_workers(_fmri_path):
    """Start two workers, and import NumPy in both."""
    return Parallel(n_jobs=2)(delayed(imported)("numpy") for _ in range(2))


# %%
# This is one of the methods above as a script meets it, with workers still to be started.


def masker_path_cold(fmri_path):
    """Let a masker in each worker read the file, workers to be started."""
    return masker_path(fmri_path)


# %%
# What it costs
# -------------
# All methods must return the same signals, though some compute in float32 and others in float64.
#
# The first rows of the table differ from one to the next in a single thing: the path instead of a
# loaded image, one process instead of two workers, one reading instead of three, NumPy instead of
# the masker, one volume at a time instead of the whole run, ``isal`` instead of ``gzip``. The last
# two rows are NumPy with two workers.

TOLERANCE = 1e-5
RECOMMENDED = ["one_pass"]
STEPS = [masker_loaded, masker_path, masker_one_process, masker_read_once, numpy_one_process]
WAYS = [*STEPS, one_pass_gzip, one_pass, numpy_array, numpy_shared_memory]
LONGER = [masker_one_process, one_pass]
STARTING = [[start_masker_workers], [start_numpy_workers], [masker_path_cold]]
COLD_WORKERS = ["start_masker_workers", "start_numpy_workers", "masker_path_cold"]
METHODS = [[*WAYS, masker_path_cold], *STARTING[:2]]

if __name__ == "__main__":
    from benchmarks import compare

    comparison = compare(WAYS, form="short", runs=3)
    print(comparison)

# %%
# Workers were there before each of these calls. Here are the costs of starting them, and a call
# that has to start them.

if __name__ == "__main__":
    print(compare(STARTING, form="short", runs=3))

# %%
# Some of them on a run that is twice as long.

if __name__ == "__main__":
    print(compare(LONGER, form="x2", runs=2))

# %%
# The time of each method, on the first volumes.

if __name__ == "__main__":
    comparison.plot_time()

# %%
# The peak of the whole process tree, and what it consists of.

if __name__ == "__main__":
    print(comparison.parts().text())
    comparison.plot_parts()

# %%
# Memory over time, for one call of each method.

if __name__ == "__main__":
    comparison.plot_memory_over_time()
