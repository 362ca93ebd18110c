"""
Longer runs and more workers
============================

My run is eight times as long as yours. Does it take eight times as long, and as much memory?

The first volumes of the run are repeated to make files that are two, four and eight times as long.
Every method is measured on each of them. A straight line through the measurements tells what
another MiB of voxels costs.

The page :doc:`/memory_multiplier` says what follows from it.
"""

# %%
# Everything in memory
# --------------------
# ``get_fdata`` reads the whole run.

# sphinx_gallery_thumbnail_path = '_static/thumbnails/growth.svg'

import tempfile

import nibabel as nib
import numpy as np
from joblib import Parallel, cpu_count, delayed
from nilearn.image import mean_img

from benchmarks.recipes import float32_header, imported, opened_image, whole_file


def whole_get_fdata(fmri_path):
    """Read the run as float64."""
    return nib.load(fmri_path).get_fdata()


# %%
# nilearn's ``mean_img`` does, too.


def whole_mean_img(fmri_path):
    """Average the run over time with nilearn."""
    return mean_img(fmri_path, copy_header=True)


# %%
# Volume by volume
# ----------------
# The same mean, one volume at a time. ``opened_image`` unpacks a .nii.gz with ``isal``.


def streamed_mean(fmri_path):
    """Add up the volumes one after the other."""
    with opened_image(fmri_path) as img:
        mean = np.zeros(img.shape[:3], order="F")
        for volume in range(img.shape[3]):
            mean += img.dataobj[..., volume]
    mean /= img.shape[3]
    return type(img)(mean, img.affine, img.header, dtype=mean.dtype)


# %%
# The run divided by two can also be written one volume at a time, here to a file in a new folder.


def streamed_half(fmri_path):
    """Write the half of each volume as soon as it is computed, as float32."""
    half_path = f"{tempfile.mkdtemp()}/half.nii"
    with (
        opened_image(fmri_path) as img,
        whole_file(half_path) as unfinished,
        open(unfinished, "wb") as target,
    ):
        header = float32_header(img)
        header.write_to(target)
        for volume in range(img.shape[3]):
            target.write((img.dataobj[..., volume] / 2).astype(header.get_data_dtype()).T)
    return nib.load(half_path)


# %%
# More workers
# ------------
# Two or four workers read the same run at the same time, and each returns a number. With
# ``n_jobs=1``, joblib starts no worker, and the process itself does the work.


def mean_of_all(fmri_path):
    """Read the run, and return the mean of all its voxels."""
    return nib.load(fmri_path).get_fdata().mean()


def one_job(fmri_path):
    """Read the run in this process."""
    return Parallel(n_jobs=1)(delayed(mean_of_all)(fmri_path) for _ in range(1))


def two_jobs(fmri_path):
    """Read the run in two workers."""
    return Parallel(n_jobs=2)(delayed(mean_of_all)(fmri_path) for _ in range(2))


def four_jobs(fmri_path):
    """Read the run in four workers."""
    return Parallel(n_jobs=4)(delayed(mean_of_all)(fmri_path) for _ in range(4))


# %%
# On a machine with more cores, a worker for each of them follows.


def all_jobs(fmri_path):
    """Read the run in a worker for each core."""
    return Parallel(n_jobs=-1)(delayed(mean_of_all)(fmri_path) for _ in range(cpu_count()))


# %%
# Threads do the same in one process.


def two_threads(fmri_path):
    """Read the run in two threads."""
    jobs = (delayed(mean_of_all)(fmri_path) for _ in range(2))
    return Parallel(n_jobs=2, prefer="threads")(jobs)


def four_threads(fmri_path):
    """Read the run in four threads."""
    jobs = (delayed(mean_of_all)(fmri_path) for _ in range(4))
    return Parallel(n_jobs=4, prefer="threads")(jobs)


def all_threads(fmri_path):
    """Read the run in a thread for each core."""
    jobs = (delayed(mean_of_all)(fmri_path) for _ in range(cpu_count()))
    return Parallel(n_jobs=-1, prefer="threads")(jobs)


# %%
# joblib keeps its workers for the next call, so that they are there before each of these calls.
# The first call in a script has to start them.


def start_workers(_fmri_path):
    """Start two workers, and import nibabel in both."""
    return Parallel(n_jobs=2)(delayed(imported)("nibabel") for _ in range(2))


def two_jobs_cold(fmri_path):
    """Read the run in two workers that have to be started."""
    return two_jobs(fmri_path)


# %%
# What another MiB costs
# ----------------------
# The slope is what another MiB of voxels adds to the peak, in MiB, ± its standard error, which
# assumes that the points lie on a line. They do from a raw size of thirty-two MiB on; a shorter
# run may need more than in proportion, and the page on the multiplier says why. What is streamed
# needs no more memory for a longer run.

LENGTHS = [[whole_get_fdata], [whole_mean_img, streamed_mean], [streamed_half]]
JOBS = {1: one_job, 2: two_jobs, 4: four_jobs, -1: all_jobs}
THREADS = {1: one_job, 2: two_threads, 4: four_threads, -1: all_threads}
STARTING = [[start_workers], [two_jobs_cold]]
COLD_WORKERS = ["start_workers", "two_jobs_cold"]
METHODS = [
    *LENGTHS,
    [one_job],
    [two_jobs, two_jobs_cold, two_threads],
    [four_jobs, four_threads],
    [all_jobs, all_threads],
    [start_workers],
]

if __name__ == "__main__":
    from benchmarks import compare, compare_jobs, compare_lengths

    lengths = compare_lengths(LENGTHS, runs=3)
    print(lengths.table("peak").text())

# %%
# The lines that rise are those of the methods that read everything.

if __name__ == "__main__":
    lengths.plot("peak")

# %%
# The time grows with the run in every case, but scatters more where the whole run is in memory: a
# tilde marks times that are noisy. The slope is the time of another MiB of voxels, in ms, by all
# lengths and repeats.

if __name__ == "__main__":
    print(lengths.table("time").text())
    lengths.plot("time")

# %%
# What another worker costs
# -------------------------
# Each worker reads the run for itself. The slope is what another worker adds from two on, since
# one job has no worker. A tilde marks a peak that could only be bounded, because workers need not
# peak at the same moment.

if __name__ == "__main__":
    jobs = compare_jobs(JOBS, runs=3)
    print(jobs.table("peak").text())
    print(jobs.table("whole").text())
    print(jobs.table("time").text())

# %%
# What another core is worth
# --------------------------
# Every worker reads one run, so that the time for each run says how many workers get through the
# most. The last row is what the cores with a worker did, of what they would do if none of them
# waited for another: for memory, for the parent process, or for a core.

if __name__ == "__main__":
    print(jobs.scaling().text())

# %%
# The same with threads.

if __name__ == "__main__":
    threads = compare_jobs(THREADS, runs=3)
    print(threads.scaling().text())

# %%
# One pass over the volumes, ``streamed_mean``, reads the shortest run in one process, with one
# core. Workers get through more runs than that once their time for each run, above, is less.

if __name__ == "__main__":
    print(compare([[streamed_mean]], form="short", runs=3))

# %%
# Starting two workers, and a call that has to start them.

if __name__ == "__main__":
    print(compare(STARTING, form="short", runs=3))

# %%
# A line through the peaks, from two workers on. Workers that do not peak at the same moment need
# less than the sum of their peaks. Nobody sees to it that they do not: request the whole share and
# an interpreter for each.

if __name__ == "__main__":
    jobs.plot("peak")
