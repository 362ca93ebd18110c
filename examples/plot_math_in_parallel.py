"""
A simple operation, twice in parallel
=====================================

Does it help to let two processes work at the same time?

The work here is small: every voxel is divided by two. If two processes share it, data have to be
brought to them, and results back. The original chapter did this with two ways of loading the
image. This page adds other ways, and looks at where the memory goes.

All of it is measured on the first volumes of the run, so that it fits into memory whatever the
size of your file is.
"""

# %%
# Once
# ----
# For comparison, the operation is done once. It makes no difference which library opened the
# file.

import nibabel as nib
import numpy as np
from joblib import Parallel, delayed
from nilearn.image import load_img, math_img


def math_load_img(fmri_path):
    """Halve an image that nilearn opened."""
    return math_img("img / 2", img=load_img(fmri_path))


def math_nibabel(fmri_path):
    """Halve an image that nibabel opened."""
    return math_img("img / 2", img=nib.load(fmri_path))


# %%
# Twice, in two processes
# -----------------------
# ``joblib`` starts two worker processes and hands each of them the image. What is handed over
# is pickled. A proxy image is pickled as the name of its file, so that each worker reads the
# file itself. The results are images, and come back the same way, with all their voxels.


def twice_proxy(fmri_path):
    """Hand two workers a proxy image."""
    img = nib.load(fmri_path)
    return Parallel(n_jobs=2)(delayed(math_img)("img / 2", img=img) for _ in range(2))


# %%
# The data may be read before, so that the file is read once. The image that is handed over
# then has an array. ``joblib`` writes a large array to a file in memory that both workers map.


def twice_loaded(fmri_path):
    """Hand two workers an image whose data were read before."""
    img = nib.load(fmri_path)
    img.get_fdata()
    return Parallel(n_jobs=2)(delayed(math_img)("img / 2", img=img) for _ in range(2))


# %%
# A path is the smallest thing to hand over. It comes to the same as a proxy image.


def twice_path(fmri_path):
    """Hand two workers the path of the file."""
    return Parallel(n_jobs=2)(delayed(math_img)("img / 2", img=fmri_path) for _ in range(2))


# %%
# Twice, in two threads
# ---------------------
# Threads live in one process and share its memory. Nothing has to be handed over.


def twice_threads(fmri_path):
    """Use two threads instead of two processes."""
    img = nib.load(fmri_path)
    jobs = (delayed(math_img)("img / 2", img=img) for _ in range(2))
    return Parallel(n_jobs=2, prefer="threads")(jobs)


# %%
# Twice, in one pass
# ------------------
# Nothing here needs a second process. One loop over the volumes fills both results. They are
# floats of four bytes, which halves what they need.


def twice_one_pass(fmri_path):
    """Read each volume once, and put its half into both results."""
    img = nib.load(fmri_path, keep_file_open=True)
    results = [np.empty(img.shape, np.float32, order="F") for _ in range(2)]
    for volume in range(img.shape[3]):
        half = img.dataobj[..., volume] / 2
        for result in results:
            result[..., volume] = half
    return [nib.Nifti1Image(result, img.affine) for result in results]


# %%
# Small results
# -------------
# The picture changes if each worker returns one number. Then only the way to the workers
# costs something.


def mean_of_half(img):
    """Halve an image, and return the mean of all its voxels."""
    return (img.get_fdata() / 2).mean()


def number_proxy(fmri_path):
    """Hand two workers a proxy image, and get two numbers back."""
    img = nib.load(fmri_path)
    return Parallel(n_jobs=2)(delayed(mean_of_half)(img) for _ in range(2))


def number_loaded(fmri_path):
    """Hand two workers a loaded image, and get two numbers back."""
    img = nib.load(fmri_path)
    img.get_fdata()
    return Parallel(n_jobs=2)(delayed(mean_of_half)(img) for _ in range(2))


def number_one_pass(fmri_path):
    """Add up the halves of all volumes, one volume after the other."""
    img = nib.load(fmri_path, keep_file_open=True)
    total = sum((img.dataobj[..., volume] / 2).sum() for volume in range(img.shape[3]))
    return [total / np.prod(img.shape)] * 2


# %%
# What it costs
# -------------
# The ways in each list must return the same.

ONCE = [math_load_img, math_nibabel]
TWICE = [twice_proxy, twice_loaded, twice_path, twice_threads, twice_one_pass]
NUMBERS = [number_proxy, number_loaded, number_one_pass]
METHODS = [ONCE, TWICE, NUMBERS]

if __name__ == "__main__":
    from benchmarks import compare

    once = compare(ONCE, form="short")
    print(once)

# %%
# Twice, with images as results.

if __name__ == "__main__":
    twice = compare(TWICE, form="short")
    print(twice)

# %%
# The time of each way.

if __name__ == "__main__":
    twice.plot_time()

# %%
# The peak of the whole process tree consists of private memory, of pages of mapped files, and
# of files in ``/dev/shm``, which is memory too. A page that several processes share counts
# once.

if __name__ == "__main__":
    print(twice.parts().text())
    twice.plot_parts()

# %%
# The same over time, for one call of each way.

if __name__ == "__main__":
    twice.plot_memory_over_time()

# %%
# Twice, with numbers as results.

if __name__ == "__main__":
    numbers = compare(NUMBERS, form="short")
    print(numbers)

# %%
# Their peaks, and what they consist of.

if __name__ == "__main__":
    print(numbers.parts().text())
    numbers.plot_parts()
