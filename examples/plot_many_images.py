"""
Many images
===========

I have hundreds of runs. How do I get through them, and does it take a cluster?

From each run come a mean image and the signals of three regions. One function does the work for
one run. It is called in a loop, in worker processes of joblib, and on Dask, which can also use a
cluster. Each of these is given the paths of the runs first, and then runs that were already
loaded.

The runs are copies of the first volumes of one run, in a temporary folder, so that all of them fit
into memory however large your file is.

The chapter says what follows from it: :ref:`chapter_many_images`.
"""

# %%
# One image
# ---------
# All methods call this function. It takes the path of a run, or an image that is loaded already,
# and goes through the volumes one after the other. The regions are thirds of the brighter voxels,
# so that any file will do. ``.T`` brings the voxels into the order of the file.
#
# The mean image is saved and not returned, since whatever a worker returns has to be sent back.
# The signals are small enough to be returned. They are saved as well, and last: where they are,
# the run is done. ``whole_file`` moves each file to its place once it is complete.

# sphinx_gallery_thumbnail_path = '_static/thumbnails/many_images.svg'

import multiprocessing
import os
import tempfile

import nibabel as nib
import numpy as np
from joblib import Parallel, delayed, parallel_config

from benchmarks.recipes import file_key, imported, opened_image, whole_file


def mean_and_signals(run, mean_path, signals_path):
    """Save the mean image of a run, and the signals of three regions; return the signals.

    Values are rounded to float32 before they are averaged. NaN stays NaN in the
    mean image, as with ``mean_img``. In the signals, NaN and infinite values count
    as zero, as with ``NiftiMasker``.
    """
    if isinstance(run, (str, os.PathLike)):
        with opened_image(run) as img:
            return mean_and_signals(img, mean_path, signals_path)
    total, signals = 0, []
    for volume in range(run.shape[3]):
        values = run.dataobj[..., volume].astype(np.float32).T
        total = np.add(total, values, dtype=float)
        finite = np.nan_to_num(values, nan=0, posinf=0, neginf=0).ravel()
        if not signals:
            regions = np.array_split(np.flatnonzero(finite > finite.mean()), 3)
        signals.append([finite[region].mean(dtype=float) for region in regions])
    mean = total.T / run.shape[3]
    with whole_file(mean_path) as unfinished:
        nib.save(type(run)(mean, run.affine, run.header, dtype=mean.dtype), unfinished)
    with whole_file(signals_path) as unfinished:
        np.save(unfinished, signals)
    return np.array(signals)


# %%
# What was done before need not be done again. ``file_key`` makes a name from the path of the run,
# its size and the time of its last change, so that two runs with the same file name do not
# collide, and a run that was replaced is done anew. The name says nothing about the function: when
# you change that, choose another folder.
#
# If one file in a thousand is broken, that must not end the work on the others. So the error is
# returned in the place of the signals, for you to look at in the end.


def attempted(run, fmri_path, folder):
    """Return the signals of a run, saved before or now; if it cannot be done, the error."""
    if isinstance(run, Exception):
        return run  # it could not be loaded
    try:
        target = os.path.join(folder, file_key(fmri_path))
        signals_path = f"{target}_signals.npy"
        if os.path.exists(signals_path):
            return np.load(signals_path)
        return mean_and_signals(run, f"{target}_mean.nii", signals_path)
    except Exception as error:
        return error


def failures(fmri_paths, results):
    """Return what went wrong, by the path of the run."""
    pairs = zip(fmri_paths, results)
    return {path: result for path, result in pairs if isinstance(result, Exception)}


# %%
# In a loop
# ---------
# Results go to a folder. If you name one, a second call goes on where the first one stopped; if
# not, the folder is new each time. Nothing is written beside the runs.


def results_folder(folder=None):
    """Return a folder for results, which is made if it is not there; by default a new one."""
    folder = folder or tempfile.mkdtemp(prefix="means-and-signals-")
    os.makedirs(folder, exist_ok=True)
    return folder


def loop_paths(fmri_paths, folder=None):
    """Go through the runs one after the other."""
    folder = results_folder(folder)
    return [attempted(path, path, folder) for path in fmri_paths]


# %%
# Many scripts load all images first, and then go through them.


def loaded(fmri_path):
    """Return a run with all its voxels in memory, as float32; or the error."""
    try:
        img = nib.load(fmri_path)
        data = img.get_fdata().astype(np.float32)
        return type(img)(data, img.affine, img.header, dtype=data.dtype)
    except Exception as error:
        return error


def loop_images(fmri_paths, folder=None):
    """Load all runs, and go through them then."""
    folder, runs = results_folder(folder), [loaded(path) for path in fmri_paths]
    return [attempted(*job, folder) for job in zip(runs, fmri_paths)]


# %%
# In worker processes
# -------------------
# With joblib the loop becomes two lines, which do not say where the work is done. The other lines
# deal with what can go wrong.
#
# A run may hang, or take more memory than there is, so that its worker is killed. joblib then
# gives up all the work. (When Dask gives up on a run, joblib 1.6 does not learn of it and would
# wait for ever; a longest time for each run ends the wait.) So the work begins again with the runs
# that are left, and what they have saved already is only read. Results come in the order of the
# runs: if one took too long, it is the first that is missing. If a worker was killed, several runs
# may be to blame, and the first of them is tried alone.

IMAGE_SECONDS = 120
GAVE_UP = f"A run did not come back in {IMAGE_SECONDS} s. Its worker may need more memory."


def in_workers(runs, fmri_paths, folder=None):
    """Hand the runs to the workers in use; in the place of one that fails is its error."""
    folder, jobs = results_folder(folder), list(zip(runs, fmri_paths))
    results, alone = [], False
    while len(results) < len(jobs):
        left = jobs[len(results) :][: 1 if alone else None]
        work = (delayed(attempted)(*job, folder) for job in left)
        try:
            for result in Parallel(timeout=IMAGE_SECONDS, return_as="generator")(work):
                results.append(result)
            alone = False
        except (TimeoutError, multiprocessing.TimeoutError):
            results.append(TimeoutError(GAVE_UP))
            alone = False
        except Exception as error:
            results += [error] if alone else []
            alone = not alone
    return results


# %%
# Here the work is done by two processes on this machine.


def joblib_paths(fmri_paths, folder=None):
    """Send the paths to two processes."""
    with parallel_config(backend="loky", n_jobs=2):
        return in_workers(fmri_paths, fmri_paths, folder)


def joblib_images(fmri_paths, folder=None):
    """Load all runs, and send the images to two processes."""
    runs = [loaded(path) for path in fmri_paths]
    with parallel_config(backend="loky", n_jobs=2):
        return in_workers(runs, fmri_paths, folder)


# %%
# On Dask
# -------
# The same two lines run on Dask. It starts workers on this machine, unless the environment
# variable ``DASK_SCHEDULER_ADDRESS`` has the address of a scheduler that is running already.
# ``memory_limit`` is what a worker may hold. One that holds more is killed, and the run is tried
# again, up to three times. The page :doc:`/many_images` says what the settings are for.

WORKER_BYTES = 2**30
DASK = {
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.target": False,
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 2**26,
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": 2**25,
}


def connected(workers=2, as_it_comes=False):
    """Connect to the scheduler in use; where there is none, start workers first."""
    import dask
    from dask.distributed import Client, LocalCluster, default_client

    try:
        return default_client()  # from an earlier call
    except ValueError:
        dask.config.set({} if as_it_comes else DASK)
    address = dask.config.get("scheduler-address", None)
    return Client(
        address
        or LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit=WORKER_BYTES,
            dashboard_address=None,
        )
    )


def dask_paths(fmri_paths, folder=None):
    """Send the paths to the workers of Dask."""
    connected()
    with parallel_config(backend="dask"):
        return in_workers(fmri_paths, fmri_paths, folder)


def dask_images(fmri_paths, folder=None):
    """Load all runs, and send the images to the workers of Dask."""
    connected()
    runs = [loaded(path) for path in fmri_paths]
    with parallel_config(backend="dask"):
        return in_workers(runs, fmri_paths, folder)


# %%
# Here are the same workers without these settings.


def dask_as_it_comes(fmri_paths):
    """Send the paths to workers of Dask that have its own settings."""
    connected(as_it_comes=True)
    return dask_paths(fmri_paths)


# %%
# Other numbers of workers
# ------------------------
# Four of each, given paths. (Asked for a single worker, joblib does the work itself, like the
# loop.)


def joblib_four_workers(fmri_paths):
    """Send the paths to four processes."""
    with parallel_config(backend="loky", n_jobs=4):
        return in_workers(fmri_paths, fmri_paths)


def dask_four_workers(fmri_paths):
    """Send the paths to four workers of Dask."""
    connected(workers=4)
    return dask_paths(fmri_paths)


# %%
# Starting the workers
# --------------------
# Workers are kept for the next call. The first call in a script has to start them: two processes
# that import nibabel, or Dask's scheduler with its workers.


def start_joblib_workers(_fmri_paths):
    """Start two workers, and import nibabel in both."""
    return Parallel(n_jobs=2)(delayed(imported)("nibabel") for _ in range(2))


def start_dask_workers(_fmri_paths):
    """Start two workers of Dask with their scheduler, and return how many there are."""
    return len(connected().scheduler_info()["workers"])


# %%
# This is one of the methods above as a script meets it, with workers still to be started.


def joblib_paths_cold(fmri_paths):
    """Send the paths to two processes that have to be started."""
    return joblib_paths(fmri_paths)


# %%
# What is sent
# ------------
# Dask's scheduler counts the bytes that it sends to each worker.


def bytes_to_workers(dask_scheduler):
    """Return how many bytes the scheduler has sent to its workers."""
    return sum(stream.byte_count for stream in dask_scheduler.stream_comms.values())


def kilobytes_sent(way, fmri_paths):
    """Return how many kB the workers of Dask were sent for each run."""
    before = connected().run_on_scheduler(bytes_to_workers)
    way(fmri_paths)
    sent = connected().run_on_scheduler(bytes_to_workers) - before
    return sent / len(fmri_paths) / 1000


def kilobytes_with_paths(fmri_paths):
    """Return how many kB were sent for each run, given paths."""
    return kilobytes_sent(dask_paths, fmri_paths)


def kilobytes_with_images(fmri_paths):
    """Return how many kB were sent for each run, given loaded images."""
    return kilobytes_sent(dask_images, fmri_paths)


# %%
# A scheduler hands out one run after the other. How long that takes can be seen when there is
# nothing else to do. Each path is handed out many times, so that starting and ending count for
# little.

TIMES = 50


def handed_out(fmri_paths):
    """Hand out paths to the workers of Dask, which only take the names out of them."""
    connected()
    jobs = (delayed(os.path.basename)(path) for path in fmri_paths * TIMES)
    with parallel_config(backend="dask"):
        return Parallel(batch_size=1)(jobs)


# %%
# A broken image among them
# -------------------------
# One more run is added, of which only the first half is there.


def one_is_broken(fmri_paths):
    """Return how many runs came through, and the names of the others."""
    ending = os.path.basename(fmri_paths[0]).partition(".")[2]
    broken = f"{tempfile.mkdtemp()}/broken.{ending}"
    with open(fmri_paths[0], "rb") as whole, open(broken, "wb") as half:
        half.write(whole.read(os.path.getsize(fmri_paths[0]) // 2))
    results = dask_paths([*fmri_paths, broken])
    failed = failures([*fmri_paths, broken], results)
    names = [os.path.basename(path).partition(".")[0] for path in failed]
    return len(results) - len(failed), names


# %%
# What it costs
# -------------
# All methods must return the same signals. The table is for four images and two workers.

FORM = "images4"
COLD_WORKERS = ["start_joblib_workers", "start_dask_workers", "joblib_paths_cold"]
STARTING = [[start_joblib_workers], [start_dask_workers], [joblib_paths_cold]]
WAYS = [loop_paths, loop_images, joblib_paths, joblib_images, dask_paths, dask_images]
RECOMMENDED = ["joblib_paths", "dask_paths"]
JOBLIB = {1: loop_paths, 2: joblib_paths, 4: joblib_four_workers}
ON_DASK = {2: dask_paths, 4: dask_four_workers}
SENT = [[kilobytes_with_paths], [kilobytes_with_images]]
METHODS = [
    [*WAYS, dask_as_it_comes, joblib_four_workers, dask_four_workers, joblib_paths_cold],
    [start_joblib_workers],
    [start_dask_workers],
    [handed_out],
    *SENT,
    [one_is_broken],
]

if __name__ == "__main__":
    from benchmarks import compare, compare_images, compare_jobs

    print(compare([*WAYS, dask_as_it_comes], form=FORM, runs=3))

# %%
# More images
# -----------
# How many images each method gets through in a minute, and the time it takes. The slope is what
# another image costs.

if __name__ == "__main__":
    images = compare_images(WAYS, runs=3)
    print(images.table("throughput").text(), end="\n\n")
    print(images.table("time").text())
    images.plot("time")

# %%
# All memory at the peak is what all processes held before the call, and the peak on top of that.
# The peak alone would say too little, because workers keep some of the memory that they used for
# one image, and use it for the next. Given paths, no method needs more memory for more images.

if __name__ == "__main__":
    print(images.table("whole").text())
    images.plot("whole")

# %%
# More workers
# ------------
# First processes of joblib: how many images they get through, and all their memory.

if __name__ == "__main__":
    processes = compare_jobs(JOBLIB, form=FORM, runs=3)
    print(processes.table("throughput").text(), end="\n\n")
    print(processes.table("whole").text())

# %%
# Then workers of Dask.

if __name__ == "__main__":
    workers = compare_jobs(ON_DASK, form=FORM, runs=3)
    print(workers.table("throughput").text(), end="\n\n")
    print(workers.table("whole").text())
    workers.plot("throughput")

# %%
# Starting two workers, and a call that has to start them.

if __name__ == "__main__":
    print(compare(STARTING, form=FORM, runs=3))

# %%
# What is sent
# ------------
# The kB sent for each of four images; and how many images came through when a fifth one was
# broken.

if __name__ == "__main__":
    print(compare([*SENT, [one_is_broken]], form=FORM, timed=False, runs=1).observed().text())

# %%
# The kB sent for each of four images that are twice as long.

if __name__ == "__main__":
    print(compare(SENT, form="images4_x2", timed=False, runs=1).observed().text(), end="\n\n")
    print(compare([dask_paths, dask_images], form="images4_x2", runs=3))

# %%
# How long it takes to hand out all the paths, many times over, while the workers do nothing else.

if __name__ == "__main__":
    handing = compare([handed_out], form=FORM, runs=3)
    print(f"{handing.results[0].wall_seconds.median:.2f} s for {TIMES} times four paths")
