"""All that the package says of single tasks; one that is not here is measured all the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Need:
    """What a method cannot do without; the least time and memory follow from it."""

    #: How many volumes a compressed file has to be unpacked for, given how many it has.
    volumes: Callable[[int], int] = lambda volumes: volumes
    #: Whether one volume alone is needed.
    one: bool = False
    #: Whether every voxel has to become a float32.
    converted: bool = False
    #: How many new float32 arrays of the whole file are returned.
    arrays: int = 0
    #: Whether all of it is written as float32 to a .nii.gz.
    packed: bool = False


@dataclass(frozen=True)
class About:
    """What is to be known of one task."""

    #: By the name of a method; under "" what those need that are not named. A method that reads no
    #: voxel (None) has no least time, nor has one without an entry.
    needs: dict[str, Need | None] = field(default_factory=dict)
    #: The variant of the file that it is measured on under several releases; None if it is not, as
    #: a task that only repeats methods of others, at other lengths or on other files.
    released: str | None = None
    #: Methods that unpack a compressed file from its start for each volume, so that the last
    #: volume takes as long as the whole file.
    reads_again: tuple[str, ...] = ()
    #: Methods that find what their first call with a file left: they are warmed up for each file.
    finds_left: tuple[str, ...] = ()
    #: Whether its time says something; not of a task that looks at an image.
    timed: bool = True
    #: Whether its methods are ways of doing something with one image; others look at it, repeat
    #: methods of other tasks at other lengths, or take many images.
    predicted: bool = True
    #: Methods that are left out of predictions, for want of a reader who would choose them: each
    #: has to be measured on all kinds of small files.
    unpredicted: tuple[str, ...] = ()


_ALL = Need()
_ADDED_UP = Need(converted=True)
_IN_MEMORY = Need(converted=True, arrays=1)
_TWICE = Need(converted=True, arrays=2)
_SAVED = Need(converted=True, packed=True)

TASKS = {
    "load": About(
        {"": _IN_MEMORY, "nibabel_load": None, "nilearn_load_img": None},
        released="",
    ),
    "mean_over_time": About(
        {"": _ADDED_UP},
        released="",
        reads_again=("mean_file_reopened",),
        unpredicted=("mean_nilearn_script", "mean_isal_script"),
    ),
    "extract_volume": About(
        {
            "": Need(lambda _: 4, one=True),
            "first_volume": Need(lambda _: 1, one=True),
            "middle_volume": Need(lambda volumes: volumes // 2 + 1, one=True),
            "last_volume": Need(one=True),
            "last_volume_indexed": Need(lambda _: 1, one=True),
            "save_index": _ALL,
            "first_axis": _ALL,
        },
        released="",
    ),
    "math_in_parallel": About(
        {
            "": _TWICE,
            "math_load_img": _IN_MEMORY,
            "math_nibabel": _IN_MEMORY,
            "half_in_place": _IN_MEMORY,
            "saved_math_img": _SAVED,
            "saved_streaming": _SAVED,
            "number_proxy": _ADDED_UP,
            "number_loaded": _ADDED_UP,
            "number_one_pass": _ADDED_UP,
        },
        released="short",
        unpredicted=("twice_serial",),
    ),
    "mask_in_parallel": About(
        {"": _ALL},
        released="short",
        unpredicted=("masker_read_once", "numpy_one_process", "one_pass_gzip"),
    ),
    "atlas_signals": About(
        {"": _ALL, "resample_atlas": None},
        released="short",
        unpredicted=("masker_no_report", "resample_atlas", "masker_cleaned", "one_pass_cleaned"),
    ),
    "clean": About(
        {"": _ADDED_UP, "some_as_usual": _ALL, "some_at_once": _ALL},
        released="short",
        unpredicted=("some_as_usual", "some_at_once", "whole_at_once", "masked_float32"),
    ),
    "smooth": About(unpredicted=("saved_at_once",)),
    "resample": About(unpredicted=("atlas_to_run",)),
    "array_order": About(predicted=False),
    "model": About(
        released="short",
        unpredicted=(
            "model_ols_design",
            "model_ar1_two_jobs",
            "fitted_minimized",
            "fitted_whole",
            "four_runs_together",
            "four_runs_one_by_one",
        ),
    ),
    "proxy_and_array": About(released="short", timed=False, predicted=False),
    "growth": About(predicted=False),
    "first_read": About(predicted=False),
    "reuse": About(predicted=False),
    "many_images": About(predicted=False),
    "caching": About(
        finds_left=("second_call", "second_call_no_report", "masked_loaded_second_call"),
        predicted=False,
    ),
}

#: The task with which every rate of the machine is measured, also those that no least time rests
#: on; and the one that the calculator shows at first.
SHOWN_WITH = "mean_over_time"

#: Methods that are measured in forked and in fresh interpreters: they import little, and much.
FORKED_AND_FRESH = (("load", "get_fdata"), ("mean_over_time", "mean_load_img"))

#: Methods that other tools are asked about too: much memory at once, and little.
ASKED_ABOUT = (("mean_over_time", "mean_nibabel"), ("mean_over_time", "mean_volume_by_volume"))


@dataclass(frozen=True)
class ManyImages:
    """What the task with many images has: for clusters, and for what many runs would take."""

    task: str = "many_images"
    form: str = "images4"
    #: The method with two workers of Dask.
    two_workers: str = "dask_paths"
    #: Methods that do the same in one process, and in two and four workers of joblib: what handing
    #: out work takes follows from them.
    one_process: str = "loop_paths"
    two_processes: str = "joblib_paths"
    four_processes: str = "joblib_four_workers"
    #: Methods that return how many kB are sent for an image: its path, or all of it.
    sent: str = "kilobytes_with_paths"
    sent_images: str = "kilobytes_with_images"
    #: The method that returns how many images came through beside a broken one.
    broken: str = "one_is_broken"
    #: Methods that work on any number of workers, after the loop that they are compared with.
    on_cluster: tuple[str, ...] = ("loop_paths", "dask_paths", "dask_images")
    #: How many float64 signals come back of each volume.
    signals: int = 3
    #: What a worker has to have.
    packages: tuple[str, ...] = ("nibabel", "isal", "joblib", "neuroimaging-performance")


MANY_IMAGES = ManyImages()


def released_forms() -> set[str]:
    """Return the variants of the file that tasks are measured on under several releases."""
    return {about.released or "" for about in TASKS.values()}


def about(task: str) -> About:
    """Return what is to be known of a task; of one that is not here, nothing."""
    return TASKS.get(task, About())


def form_of(task: str, method: str) -> str:
    """Return the variant that a method is measured on under releases; empty for none."""
    # What takes minutes on a whole file is measured on a short one.
    return "short" if method in about(task).reads_again else about(task).released or ""
