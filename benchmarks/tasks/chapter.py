"""All that the package says of single tasks, and that their examples do not say themselves.

A task that is not here is measured, shown and predicted all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Need:
    """What a method cannot do without; the least time and memory follow from it.

    Attributes
    ----------
    volumes : callable
        How many volumes a compressed file has to be unpacked for, given how many it has.
    one : bool
        Whether one volume alone is needed.
    converted : bool
        Whether every voxel has to become a float32.
    arrays : int
        How many new float32 arrays of the whole file are returned.
    packed : bool
        Whether all of it is written as float32 to a .nii.gz.
    """

    volumes: Callable[[int], int] = lambda volumes: volumes
    one: bool = False
    converted: bool = False
    arrays: int = 0
    packed: bool = False


@dataclass(frozen=True)
class About:
    """What is to be known of one task.

    Attributes
    ----------
    needs : dict
        By the name of a method; under "" what those need that are not named. A method that reads
        no voxel (None) has no least time, nor has one without an entry.
    released : str or None
        The variant of the file that it is measured on under several releases; None if it is not,
        as a task that only repeats methods of others, at other lengths or on other files.
    reads_again : tuple of str
        Methods that unpack a compressed file from its start for each volume, so that the last
        volume takes as long as the whole file.
    timed : bool
        Whether its time says something; not of a task that looks at an image.
    predicted : bool
        Whether its methods are ways of doing something with one image; others look at it, repeat
        methods of other tasks at other lengths, or take many images.
    """

    needs: dict[str, Need | None] = field(default_factory=dict)
    released: str | None = None
    reads_again: tuple[str, ...] = ()
    timed: bool = True
    predicted: bool = True


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
    ),
    "mask_in_parallel": About({"": _ALL}, released="short"),
    "proxy_and_array": About(released="short", timed=False, predicted=False),
    "growth": About(predicted=False),
    "many_images": About(predicted=False),
}

#: The task with which every rate of the machine is measured, also those that no least time rests
#: on; and the one that the calculator shows at first.
SHOWN_WITH = "mean_over_time"

#: Methods that other tools are asked about too: much memory at once, and little.
ASKED_ABOUT = (("mean_over_time", "mean_nibabel"), ("mean_over_time", "mean_volume_by_volume"))


@dataclass(frozen=True)
class ManyImages:
    """What the task with many images has: for clusters, and for what many runs would take.

    Attributes
    ----------
    task, form : str
        Name of the task, and the variant that it is measured on.
    loop, two_workers : str
        Methods: one process, and two workers of Dask.
    workers : dict of int
        The number of Dask's workers, by the method that is measured with them.
    sent, sent_images : str
        Methods that return how many kB are sent for an image: its path, or all of it.
    handing_out : str
        The method that does nothing but hand out each path so many ``times``.
    broken : str
        The method that returns how many images came through beside a broken one.
    on_cluster : tuple of str
        Methods that work on any number of workers, after the loop that they are compared with.
    signals : int
        How many float64 signals come back of each image.
    packages : tuple of str
        What a worker has to have.
    """

    task: str = "many_images"
    form: str = "images8"
    loop: str = "loop_paths"
    two_workers: str = "dask_paths"
    workers: dict[str, int] = field(
        default_factory=lambda: {"dask_one_worker": 1, "dask_paths": 2, "dask_four_workers": 4}
    )
    sent: str = "kilobytes_with_paths"
    sent_images: str = "kilobytes_with_images"
    handing_out: str = "handed_out"
    times: int = 25
    broken: str = "one_is_broken"
    on_cluster: tuple[str, ...] = ("loop_paths", "dask_paths", "dask_images")
    signals: int = 3
    packages: tuple[str, ...] = ("nibabel", "isal", "joblib")


MANY_IMAGES = ManyImages()


def about(task: str) -> About:
    """Return what is to be known of a task; of one that is not here, nothing."""
    return TASKS.get(task, About())


def form_of(task: str, method: str) -> str:
    """Return the variant that a method is measured on under releases; empty for none."""
    # What takes minutes on a whole file is measured on a short one.
    return "short" if method in about(task).reads_again else about(task).released or ""
