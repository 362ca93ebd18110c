"""Peak memory of one process where nobody may watch it: macOS, Windows, some sandboxes.

The system keeps the highest memory of a process's whole life, and does not let it be set
back. A warm-up call was made before, so that this peak is that of a call, but processes
that the call starts are not seen. Figures read this way carry another gauge's name, and are
never put beside those of Linux.
"""

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
    """Return the highest resident memory in the life of this process.

    On Linux this is VmHWM, since ``ru_maxrss`` is inherited through fork and exec. On macOS
    it is ``ru_maxrss``, in bytes there (getrusage(2)), which a spawned process does not
    inherit. On Windows it is the peak working set.
    """
    if sys.platform == "linux":
        return procfs.field_kib(Path("/proc/self/status").read_bytes(), b"VmHWM:") * 1024
    if sys.platform == "win32":
        peak: int = psutil.Process().memory_info().peak_wset
        return peak
    import resource  # noqa: PLC0415 - not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
