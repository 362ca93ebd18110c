"""Peak memory of one process where nobody may watch it: macOS, Windows, some sandboxes."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil

from . import procfs


def resident_bytes() -> int:
    """Return the resident memory of this process."""
    resident: int = psutil.Process().memory_info().rss
    return resident


def peak_bytes() -> int:
    """Return the highest resident memory in the life of this process, not only of a call."""
    # ru_maxrss is inherited through fork and exec; VmHWM is of this process.
    if sys.platform == "linux":
        return procfs.field_kib(Path("/proc/self/status").read_bytes(), b"VmHWM:") * 1024
    if sys.platform == "win32":
        peak: int = psutil.Process().memory_info().peak_wset
        return peak
    # macOS: in bytes (getrusage(2)), and not inherited by a spawned process.
    import resource  # noqa: PLC0415 - not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
