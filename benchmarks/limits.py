"""How fast could it be: the rates of this machine, and the least time and memory of a task.

The rates are those of the functions of `kernels`. They are measured on the same file as a task's
methods and in turns with them, since a machine is faster at one time than at another. From them
and the file's header follows the limit of a method, the sum of what one thread cannot do without:

source
    The time to unpack the file with isal, reading included, or to read a plain file from the page
    cache: up to the last volume that is needed, of a plain file that volume alone. If the page
    cache is dropped before each run, the time to read the file from its disk comes on top of
    unpacking, or in the place of reading.
convert
    The time to convert every voxel to float32.
new arrays
    The time to fill an array of the whole run with float32 for the first time. Values can be
    converted on the way, so that the longer of the two counts.
pack
    The time to pack the whole run as float32 with isal at its fastest level.

The least memory is that of the arrays that are returned, or else of one volume, as float32.
"""

from __future__ import annotations

import functools
import hashlib
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from . import kernels
from .tasks import Method

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .results import Result
    from .runs import Data
    from .store import Store

#: The task with which every rate is measured, also those that no limit rests on.
SHOWN_WITH = "mean_over_time"

#: The rates: functions of `kernels`, and what they do in words. ``read_cold`` is ``read`` with the
#: page cache dropped before.
RATES = {
    "read": "reading from the page cache",
    "read_cold": "reading from the disk",
    "inflate_isal": "unpacking with isal",
    "inflate_zlib": "unpacking with Python itself",
    "to_float32": "converting to float32",
    "to_float64": "converting to float64",
    "copy": "filling a new float32 array",
    "deflate_isal": "packing float32 with isal",
}
_OF_COMPRESSED = {"inflate_isal", "inflate_zlib"}

#: The group of kernels among methods: they return nothing to be compared.
KERNELS = -1

#: Bytes that a kernel has to get through, by the name of its rate.
Work: TypeAlias = "dict[str, float]"

_FLOAT32_BYTES = 4
_ENDINGS = (".nii", ".nii.gz")


@dataclass(frozen=True)
class Need:
    """What a method cannot do without.

    Attributes
    ----------
    volumes : callable
        How many volumes a compressed file has to be unpacked for, given how many it has.
    one : bool
        Whether one volume alone is needed.
    converted : bool
        Whether every voxel has to become a float32.
    arrays : int
        How many new float32 arrays of the whole run are returned.
    packed : bool
        Whether the whole run is written as float32 to a .nii.gz.
    """

    volumes: Callable[[int], int] = lambda volumes: volumes
    one: bool = False
    converted: bool = False
    arrays: int = 0
    packed: bool = False


_ALL = Need()
_ADDED_UP = Need(converted=True)
_IN_MEMORY = Need(converted=True, arrays=1)
_TWICE = Need(converted=True, arrays=2)
_SAVED = Need(converted=True, packed=True)

#: What each method needs, by task; under "" what those need that are not named. A task that is
#: not here, and a method that reads no voxel (None), has no limit.
NEEDS: dict[str, dict[str, Need | None]] = {
    "load": {"": _IN_MEMORY, "nibabel_load": None, "nilearn_load_img": None},
    "mean_over_time": {"": _ADDED_UP},
    "extract_volume": {
        "": Need(lambda _: 4, one=True),
        "first_volume": Need(lambda _: 1, one=True),
        "middle_volume": Need(lambda volumes: volumes // 2 + 1, one=True),
        "last_volume": Need(one=True),
        "last_volume_indexed": Need(lambda _: 1, one=True),
        "save_index": _ALL,
        "first_axis": _ALL,
    },
    "math_in_parallel": {
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
    "mask_in_parallel": {"": _ALL},
}


@dataclass(frozen=True)
class Limit:
    """The least that a method could need on this machine.

    Attributes
    ----------
    parts : dict of float
        What the time consists of: seconds by the name of a rate.
    peak_bytes : int
        Least memory.
    """

    parts: dict[str, float]
    peak_bytes: int

    @property
    def wall_seconds(self) -> float:
        """Least time."""
        return sum(self.parts.values())


def bytes_done(rate: str, data: Data) -> int:
    """Return how many bytes the kernel of a rate gets through on a file."""
    if rate in {"copy", "deflate_isal"}:
        return math.prod(data.shape) * _FLOAT32_BYTES
    return data.file_bytes if rate.startswith("read") else data.raw_bytes


def need_of(task: str, method: str, data: Data) -> Need | None:
    """Return what a method needs; None if it, or the kind of file, has no limit."""
    needs = NEEDS.get(task, {})
    return needs.get(method, needs.get("")) if data.name.endswith(_ENDINGS) else None


def work_of(need: Need, data: Data, cache: str) -> list[Work]:
    """Return the work that has to be done.

    Returns
    -------
    list of dict
        One after the other. Of those in one dictionary, the longest counts.
    """
    volumes = data.shape[3]
    part = need.volumes(volumes) / volumes
    reading = "read_cold" if cache == "cold" else "read"
    if data.compression == "gz":
        work: list[Work] = [{"inflate_isal": part * data.raw_bytes}]
        if cache == "cold":
            work.append({reading: part * data.file_bytes})
    else:
        work = [{reading: data.raw_bytes * (1 / volumes if need.one else part)}]
    float32_bytes = math.prod(data.shape) * _FLOAT32_BYTES
    if need.converted:
        work.append({"to_float32": data.raw_bytes})
    if need.arrays:
        work[-1]["copy"] = need.arrays * float32_bytes
    if need.packed:
        work.append({"deflate_isal": float32_bytes})
    return work


def methods(task: str, names: Iterable[str], data: Data, cache: str) -> list[Method]:
    """Return the kernels that the limits of methods rest on, as methods themselves.

    Parameters
    ----------
    task : str
        Name of the task.
    names : iterable of str
        Names of its methods.
    data : Data
        The file that is measured on.
    cache : str
        Whether the file is in the page cache: ``"warm"`` or ``"cold"``.
    """
    needs = [need for name in names if (need := need_of(task, name, data))]
    rates = {rate for need in needs for work in work_of(need, data, cache) for rate in work}
    if needs and task == SHOWN_WITH:
        rates = set(RATES) - (set() if data.compression == "gz" else _OF_COMPRESSED)
    run = kernels.Run(data.dtype, math.prod(data.shape[:3]), data.shape[3])
    return [_method(rate, run) for rate in RATES if rate in rates]


def _method(rate: str, run: kernels.Run) -> Method:
    cold = rate == "read_cold"
    kernel = kernels.read if cold else getattr(kernels, rate)
    function = functools.partial(kernel, run=run)
    # Also where methods find a cold file: a limit adds the time of the disk on its own.
    return Method(rate, function, "", digest(), KERNELS, cache="cold" if cold else "warm")


@functools.cache
def digest() -> str:
    """Return the digest of the kernels' code."""
    return hashlib.sha256(Path(kernels.__file__).read_bytes()).hexdigest()


def limit(task: str, method: str, store: Store, cache: str = "warm") -> Limit | None:
    """Return the least that a method could need on the file of a store.

    Parameters
    ----------
    task, method : str
        Names.
    store : Store
        With the results of the kernels.
    cache : str
        Whether the file is in the page cache: ``"warm"`` or ``"cold"``.

    Returns
    -------
    Limit or None
        None for a method without a need, and where a rate is missing.
    """
    data = store.data
    need = need_of(task, method, data)
    if need is None:
        return None
    parts = {}
    for work in work_of(need, data, cache):
        seconds = {}
        for rate, size_bytes in work.items():
            result = store.get(task, rate, cache)
            if result is None or result.source_sha256 != digest() or result.status != "ok":
                return None
            per_byte = result.wall_seconds.median / bytes_done(rate, data)
            seconds[rate] = per_byte * size_bytes
        longest = max(seconds, key=seconds.__getitem__)
        parts[longest] = seconds[longest]
    voxels = math.prod(data.shape) * need.arrays or math.prod(data.shape[:3])
    return Limit(parts, voxels * _FLOAT32_BYTES)


def with_limit(result: Result, store: Store) -> Result:
    """Return a result that knows its limit, where there is one."""
    least = limit(result.task, result.method, store, result.cache)
    if least is None:
        return result
    return replace(result, limit_seconds=least.wall_seconds, limit_bytes=least.peak_bytes)
