"""
A simple operation, twice in parallel
=====================================

Does it help to let two processes work at the same time?

The work here is small: every voxel is divided by two. If two processes share it, the data have to
be brought to them, and the results back. This page compares several methods to do that, and some
that need no second process, and shows where the memory goes.

All of it is measured on the first volumes of the run, so that it fits into memory however large
your file is.

The chapter says what follows from it: :ref:`chapter_in_parallel`.
"""

# %%
# Once
# ----
# For comparison, the operation is done once. It makes no difference which library opens the file.

# sphinx_gallery_thumbnail_path = '_static/thumbnails/math_in_parallel.svg'

import tempfile

import nibabel as nib
import numpy as np
from joblib import Parallel, delayed
from nilearn.image import load_img, math_img

from benchmarks.recipes import (
    float32_header,
    imported,
    opened_image,
    opened_to_write,
    whole_file,
)


def math_load_img(fmri_path):
    """Halve an image that nilearn opened."""
    return math_img("img / 2", img=load_img(fmri_path))


def math_nibabel(fmri_path):
    """Halve an image that nibabel opened."""
    return math_img("img / 2", img=nib.load(fmri_path))


# %%
# One array of float32 is all that has to be in memory, if it is filled volume by volume and then
# changed in place. ``opened_image`` unpacks a .nii.gz with the package ``isal``, which is faster
# than Python's own ``gzip``, and closes the file at the end.


def half_in_place(fmri_path):
    """Fill one array volume by volume, and halve it in place; all is rounded to float32."""
    with opened_image(fmri_path) as img:
        data = np.empty(img.shape, np.float32, order="F")
        for volume in range(img.shape[3]):
            data[..., volume] = img.dataobj[..., volume]
    data /= 2
    return type(img)(data, img.affine, float32_header(img))


# %%
# Once, into a file
# -----------------
# Often the result is saved anyway. With nilearn, all of it is computed before nibabel writes it,
# here into a new folder. ``math_img`` keeps the header of the run, and with it the repetition
# time, only if it is told to. Where that says int16, nibabel would round the values to the steps
# that int16 has, so the type is set to float32.


def saved_math_img(fmri_path):
    """Halve the image, and save it as float32."""
    half_path = f"{tempfile.mkdtemp()}/half.nii.gz"
    half = math_img("img / 2", img=fmri_path, copy_header_from="img")
    half.set_data_dtype(np.float32)
    half.to_filename(half_path)
    return nib.load(half_path)


# %%
# If each volume is written as soon as it is computed, no memory grows with the run. A file begins
# with its header, which here says that unscaled values of float32 follow; ``float32_header`` keeps
# everything else in the header of the run but the range to display. In the file, voxels along the
# first axis are neighbours, and ``.T`` brings them into that order without a copy.
# ``opened_to_write`` packs a file whose name ends in .gz.
#
# ``whole_file`` moves the file to its place once it is complete. If the work stops in the middle,
# nothing is left that could be taken for a result.


def saved_streaming(fmri_path, half_path=None):
    """Write the half of each volume to a file, your own or a new one, as float32.

    What needs more than the seven digits of float32 is rounded. NaN stays NaN,
    as with ``math_img``.
    """
    half_path = half_path or f"{tempfile.mkdtemp()}/half.nii.gz"
    with (
        opened_image(fmri_path) as img,
        whole_file(half_path) as unfinished,
        opened_to_write(unfinished) as target,
    ):
        header = float32_header(img)
        header.write_to(target)
        for volume in range(img.shape[3]):
            values = img.dataobj[..., volume] / 2
            target.write(values.astype(header.get_data_dtype()).T)
    return nib.load(half_path)


# %%
# Twice, one after the other
# --------------------------
# What is done in parallel has to be compared with the same work in one process.


def twice_serial(fmri_path):
    """Halve the image, and halve it once more, in this process."""
    return [math_img("img / 2", img=fmri_path) for _ in range(2)]


# %%
# Twice, in two processes
# -----------------------
# ``joblib`` starts two worker processes and hands each of them the image. Whatever is handed over
# is pickled. A proxy image is pickled as the name of its file, so that each worker reads the file
# itself. The results are images, and are pickled on their way back, with all their voxels.


def twice_proxy(fmri_path):
    """Hand two workers a proxy image."""
    img = nib.load(fmri_path)
    return Parallel(n_jobs=2)(delayed(math_img)("img / 2", img=img) for _ in range(2))


# %%
# If the data were read before, with ``get_fdata``, the image that is handed over has an array.
# ``joblib`` writes an array of more than a megabyte to a file that both workers map, in
# ``/dev/shm``, which is memory, if there is room. That saves no reading: nilearn does not use this
# array, and each worker reads the file all the same.


def twice_loaded(fmri_path):
    """Hand two workers an image whose data were read before."""
    img = nib.load(fmri_path)
    img.get_fdata()
    return Parallel(n_jobs=2)(delayed(math_img)("img / 2", img=img) for _ in range(2))


# %%
# A path is the smallest thing to hand over. In time and memory, it makes little difference whether
# workers get a path or a proxy image.


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
# Nothing here needs a second process. One loop over the volumes computes both results. As float32,
# they need half the memory of float64.


def twice_one_pass(fmri_path):
    """Read each volume once, and compute both results from it, rounded to float32."""
    with opened_image(fmri_path) as img:
        results = [np.empty(img.shape, np.float32, order="F") for _ in range(2)]
        for volume in range(img.shape[3]):
            values = img.dataobj[..., volume]
            for result in results:
                result[..., volume] = values / 2
    return [type(img)(data, img.affine, float32_header(img)) for data in results]


# %%
# If the results are written volume by volume, not even they have to be in memory.


def twice_to_files(fmri_path):
    """Read each volume once, and write both results as float32, into a new folder."""
    folder = tempfile.mkdtemp()
    paths = [f"{folder}/half-{number}.nii" for number in (1, 2)]
    with opened_image(fmri_path) as img, open(paths[0], "wb") as one, open(paths[1], "wb") as two:
        header = float32_header(img)
        for target in (one, two):
            header.write_to(target)
        for volume in range(img.shape[3]):
            values = img.dataobj[..., volume]
            for target in (one, two):
                target.write((values / 2).astype(header.get_data_dtype()).T)
    return [nib.load(path) for path in paths]


# %%
# Small results
# -------------
# The picture changes if each worker returns one number. Then the data only have to get to the
# workers, and not back.


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
    with opened_image(fmri_path) as img:
        total = sum((img.dataobj[..., volume] / 2).sum() for volume in range(img.shape[3]))
    return [total / np.prod(img.shape)] * 2


# %%
# Starting the workers
# --------------------
# joblib keeps its workers for the next call. The first call in a script has to start them, and
# each worker imports what its work needs: nilearn for images, or nibabel for numbers.


def start_nilearn_workers(_fmri_path):
    """Start two workers, and import nilearn's image functions in both."""
    return Parallel(n_jobs=2)(delayed(imported)("nilearn.image") for _ in range(2))


def start_nibabel_workers(_fmri_path):
    """Start two workers, and import nibabel in both."""
    return Parallel(n_jobs=2)(delayed(imported)("nibabel") for _ in range(2))


# %%
# This is one of the methods above as a script meets it, with workers still to be started.


def number_proxy_cold(fmri_path):
    """Hand two workers a proxy image, workers to be started, and get two numbers back."""
    return number_proxy(fmri_path)


# %%
# What it costs
# -------------
# The methods in each list must return the same. First come those that do the operation once.

ONCE = [math_load_img, math_nibabel, half_in_place]
SAVED = [saved_math_img, saved_streaming]
WORKERS = [twice_loaded, twice_proxy, twice_path]
TWICE = [*WORKERS, twice_threads, twice_serial, twice_one_pass, twice_to_files]
LONGER = [twice_path, twice_serial, twice_one_pass]
NUMBERS = [number_proxy, number_loaded, number_one_pass]
RECOMMENDED = ["saved_streaming"]
STARTING = [[start_nilearn_workers], [start_nibabel_workers], [number_proxy_cold]]
COLD_WORKERS = ["start_nilearn_workers", "start_nibabel_workers", "number_proxy_cold"]
METHODS = [ONCE, SAVED, TWICE, [*NUMBERS, number_proxy_cold], *STARTING[:2]]

if __name__ == "__main__":
    from benchmarks import compare

    once = compare(ONCE, form="short")
    print(once)

# %%
# Once, into a compressed file.

if __name__ == "__main__":
    print(compare(SAVED, form="short"))

# %%
# Twice, with two images as results in every case. From row to row, one thing changes: a proxy
# instead of a loaded image, a path instead of a proxy, threads instead of workers, one after the
# other instead of two at a time, one pass in floats of four bytes instead of ``math_img``, files
# instead of arrays.

if __name__ == "__main__":
    twice = compare(TWICE, form="short", runs=3)
    print(twice)

# %%
# Some of them on a run that is twice as long.

if __name__ == "__main__":
    print(compare(LONGER, form="x2", runs=2))

# %%
# The time of each method.

if __name__ == "__main__":
    twice.plot_time()

# %%
# The peak of the whole process tree consists of private memory, pages of mapped files, and files
# in ``/dev/shm``, which are memory, too. A page that several processes share counts once.

if __name__ == "__main__":
    print(twice.parts().text())
    twice.plot_parts()

# %%
# Memory over time, for one call of each method.

if __name__ == "__main__":
    twice.plot_memory_over_time()

# %%
# Twice, with numbers as results.

if __name__ == "__main__":
    numbers = compare(NUMBERS, form="short", runs=3)
    print(numbers)

# %%
# Workers were there before each of these calls. Here are the costs of starting them, and a call
# that has to start them.

if __name__ == "__main__":
    print(compare(STARTING, form="short", runs=3))

# %%
# The peaks of the methods that return numbers, and what they consist of.

if __name__ == "__main__":
    print(numbers.parts().text())
    numbers.plot_parts()
