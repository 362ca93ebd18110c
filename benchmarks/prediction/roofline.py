"""The roofline: the rates of this machine, and the least time and memory of a task.

The rates are those of the functions of `kernels`. They are measured on the same file as a task's
methods and in turns with them, since a machine is faster at one time than at another. From them
and the file's header follows the least time of a method, the sum of what one thread cannot do
without:

source
    The time to unpack the file with isal, reading included, or to read a plain file from the page
    cache: up to the last volume that is needed, of a plain file that volume alone. If the page
    cache is dropped before each run, the time to read the file from its disk comes on top of
    unpacking, or in the place of reading.
convert
    The time to convert every voxel to float32.
new arrays
    The time to fill an array of the whole file with float32 for the first time. Values can be
    converted on the way, so that the longer of the two counts.
pack
    The time to pack the whole file as float32 with isal at its fastest level.

The least memory is that of the arrays that are returned, or else of one volume, as float32.
"""

from __future__ import annotations

import functools
import hashlib
import math
import statistics
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from benchmarks.tasks import chapter
from benchmarks.tasks.task import Method

from . import kernels

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.images.image import Image
    from benchmarks.results.result import Result
    from benchmarks.results.store import Store
    from benchmarks.tasks.chapter import Need
    from benchmarks.tasks.task import Cache

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
_GROUP = -1

#: Bytes that a kernel has to get through, by the name of its rate.
Work: TypeAlias = "dict[str, float]"

_FLOAT32_BYTES = 4
_ENDINGS = (".nii", ".nii.gz")


@dataclass(frozen=True)
class Roofline:
    """The least that a method could need here: seconds by the name of a rate, and bytes."""

    parts: dict[str, float]
    peak_bytes: int

    @property
    def wall_seconds(self) -> float:
        """Least time."""
        return sum(self.parts.values())


def bytes_done(rate: str, image: Image) -> int:
    """Return how many bytes the kernel of a rate gets through on a file."""
    if rate in {"copy", "deflate_isal"}:
        return math.prod(image.shape) * _FLOAT32_BYTES
    return image.file_bytes if rate.startswith("read") else image.raw_bytes


def need_of(task: str, method: str, image: Image) -> Need | None:
    """Return what a method needs; None if it, or the kind of file, has no least time."""
    needs = chapter.about(task).needs
    return needs.get(method, needs.get("")) if image.name.endswith(_ENDINGS) else None


def work_of(need: Need, image: Image, cache: str) -> list[Work]:
    """Return the steps of work, one after the other; in one dictionary, the longest counts."""
    volumes = image.volumes
    part = need.volumes(volumes) / volumes
    reading = "read_cold" if cache == "cold" else "read"
    if image.compression == "gz":
        work: list[Work] = [{"inflate_isal": part * image.raw_bytes}]
        if cache == "cold":
            work.append({reading: part * image.file_bytes})
    else:
        work = [{reading: image.raw_bytes * (1 / volumes if need.one else part)}]
    float32_bytes = math.prod(image.shape) * _FLOAT32_BYTES
    if need.converted:
        work.append({"to_float32": image.raw_bytes})
    if need.arrays:
        work[-1]["copy"] = need.arrays * float32_bytes
    if need.packed:
        work.append({"deflate_isal": float32_bytes})
    return work


def methods(task: str, names: Iterable[str], image: Image, cache: str) -> list[Method]:
    """Return the kernels that the least times of methods rest on, as methods themselves."""
    needs = [need for name in names if (need := need_of(task, name, image))]
    rates = {rate for need in needs for work in work_of(need, image, cache) for rate in work}
    if needs and task == chapter.SHOWN_WITH:
        rates = set(RATES) - (set() if image.compression == "gz" else _OF_COMPRESSED)
    run = kernels.Run(image.dtype, image.voxels, image.volumes)
    return [_method(rate, run) for rate in RATES if rate in rates]


def _method(rate: str, run: kernels.Run) -> Method:
    kernel = kernels.read if rate == "read_cold" else getattr(kernels, rate)
    cache: Cache = "cold" if rate == "read_cold" else "warm"
    function = functools.partial(kernel, run=run)
    # Also where methods find a cold file: a least time adds that of the disk on its own.
    return Method(rate, function, "", digest(), _GROUP, cache=cache, weighed=False)


@functools.cache
def digest() -> str:
    """Return the digest of the kernels' code."""
    return hashlib.sha256(Path(kernels.__file__).read_bytes()).hexdigest()


def rate_named(task: str, name: str) -> Method | None:
    """Return the kernel of a rate that may be stored with a task, None if it is no rate."""
    if name not in RATES or not chapter.about(task).needs:
        return None
    return _method(name, kernels.Run("", 0, 0))


def rates(results: Iterable[Result], image: Image) -> dict[str, float]:
    """Return how long each kernel took for a byte of a file, s, by the name of its rate."""
    found: dict[str, list[float]] = {}
    for result in results:
        fresh = result.method in RATES and result.source_sha256 == digest()
        if fresh and not result.failed and result.time_runs:
            seconds = result.wall_seconds.median / bytes_done(result.method, image)
            found.setdefault(result.method, []).append(seconds)
    return {rate: statistics.median(values) for rate, values in found.items()}


def roofline(task: str, method: str, store: Store[Image], cache: str = "warm") -> Roofline | None:
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
    Roofline or None
        None for a method without a need, and where a rate is missing.
    """
    image = store.data
    need = need_of(task, method, image)
    if need is None:
        return None
    parts = {}
    for work in work_of(need, image, cache):
        seconds = {}
        for rate, size_bytes in work.items():
            result = store.fresh(task, rate, digest(), cache)
            if result is None or result.failed:
                return None
            per_byte = result.wall_seconds.median / bytes_done(rate, image)
            seconds[rate] = per_byte * size_bytes
        longest = max(seconds, key=seconds.__getitem__)
        parts[longest] = seconds[longest]
    voxels = math.prod(image.shape) * need.arrays or image.voxels
    return Roofline(parts, voxels * _FLOAT32_BYTES)


def completed(result: Result, store: Store[Image]) -> Result:
    """Return a result that knows the least time and memory, where they are known."""
    least = roofline(result.task, result.method, store, result.cache)
    if least is None:
        return result
    return replace(result, least_seconds=least.wall_seconds, least_bytes=least.peak_bytes)
