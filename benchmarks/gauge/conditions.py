"""What a run finds: no freed memory that hides the next use of it; files and workers as asked."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import mmap
import os
import sys
from typing import Any

from benchmarks.errors import WarmError

#: A file counts as cold if no more than this fraction of its pages is in memory.
COLD_FRACTION = 0.01


#: What a worker evaluates, where no module of ours has to be. It sleeps, so that another worker
#: takes the next of these, and says which it is.
_GIVE_BACK = """[
    __import__("gc").collect(),
    __import__("ctypes").CDLL(None).malloc_trim(0),
    __import__("time").sleep(0.005),
    __import__("os").getpid(),
].pop()"""

#: A worker that was not met after so many rounds is busy, and no worker that waits.
_ROUNDS = 20


def give_back() -> None:
    """Free what nothing refers to: freed memory that the allocator keeps hides the next use.

    Here, and in the workers that joblib and Dask keep for the next call.
    """
    gc.collect()
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)  # glibc alone has it
        _give_back_in_workers()


def _give_back_in_workers() -> None:
    loky = sys.modules.get("joblib.externals.loky.reusable_executor")
    executor = loky and loky._executor  # noqa: SLF001 - asking for it would start it
    if executor and not (executor._flags.broken or executor._flags.shutdown):  # noqa: SLF001
        met: set[int] = set()
        for _ in range(_ROUNDS):
            there = set(executor._processes)  # noqa: SLF001 - nothing else tells
            if there <= met:
                break
            met.update(executor.map(eval, [_GIVE_BACK] * len(there)))
    if client := _client():
        client.run(eval, _GIVE_BACK)


def _client() -> Any:
    """Return the client of Dask that is in use; None if there is none."""
    if distributed := sys.modules.get("distributed"):
        with contextlib.suppress(ValueError):
            return distributed.default_client()
    return None


def end_workers() -> None:
    """End the worker processes that joblib and Dask keep for the next call."""
    loky = sys.modules.get("joblib.externals.loky.reusable_executor")
    if loky and (executor := loky._executor):  # noqa: SLF001 - asking for it would start it
        executor.shutdown(wait=True, kill_workers=True)
    if client := _client():
        cluster = client.cluster
        client.close()
        if cluster is not None:  # it was started here
            cluster.close()


def make_cold(path: str) -> None:
    """Drop a file's pages from the page cache; raises WarmError if the system keeps them."""
    if not hasattr(os, "posix_fadvise"):
        raise WarmError("A cold page cache can be had on Linux only.")
    descriptor = os.open(path, os.O_RDONLY)
    try:
        # Pages that are not on the disk yet cannot be dropped.
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        cached = cached_fraction(descriptor)
    finally:
        os.close(descriptor)
    if cached > COLD_FRACTION:
        raise WarmError(
            f"{path} cannot be dropped from the page cache ({cached:.0%} of it stays): its file "
            "system keeps files in memory, or another program uses the file."
        )


def cached_fraction(descriptor: int) -> float:
    """Return which part of a file's pages is in the page cache (mincore(2))."""
    size = os.fstat(descriptor).st_size
    if size == 0:
        return 0.0
    pages = -(-size // mmap.PAGESIZE)
    resident = (ctypes.c_ubyte * pages)()
    # A private mapping may be written to, which ctypes needs to find its address.
    with mmap.mmap(
        descriptor, size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE
    ) as view:
        start = ctypes.c_char.from_buffer(view)
        libc = ctypes.CDLL(None, use_errno=True)
        failed = libc.mincore(
            ctypes.c_void_p(ctypes.addressof(start)), ctypes.c_size_t(size), resident
        )
        del start
    if failed:
        raise OSError(ctypes.get_errno(), "mincore failed")
    return sum(page & 1 for page in resident) / pages
