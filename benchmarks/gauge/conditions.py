"""What a run finds: no freed memory that hides the next use of it; files and workers as asked."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import mmap
import os
import sys

from benchmarks.errors import WarmError

#: A file counts as cold if no more than this fraction of its pages is in memory.
COLD_FRACTION = 0.01


def give_back() -> None:
    """Free what nothing refers to: freed memory that the allocator keeps hides the next use."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:  # glibc alone has it
            trim(0)


def end_workers() -> None:
    """End the worker processes that joblib and Dask keep for the next call."""
    loky = sys.modules.get("joblib.externals.loky.reusable_executor")
    if loky and (executor := loky._executor):  # noqa: SLF001 - asking for it would start it
        executor.shutdown(wait=True, kill_workers=True)
    if distributed := sys.modules.get("distributed"):
        with contextlib.suppress(ValueError):  # there is none
            client = distributed.default_client()
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
