"""How much memory is free here: of the machine, and of the container that holds this process."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psutil

CGROUP = Path("/sys/fs/cgroup")

#: Of the free memory, so much may be used by a run: the rest is for the system to live on.
USABLE_FRACTION = 0.9


def total_bytes() -> int:
    """Return the memory of the machine, or the limit of its cgroup where that is less, bytes."""
    total: int = psutil.virtual_memory().total
    with contextlib.suppress(OSError, ValueError):  # no cgroup, or one without a limit ("max")
        total = min(total, int((CGROUP / "memory.max").read_text()))
    return total


def free_bytes() -> int:
    """Return what is free, bytes; the page cache can be given up, and counts as free."""
    free: int = psutil.virtual_memory().available
    with contextlib.suppress(OSError, ValueError):  # as above
        limit = int((CGROUP / "memory.max").read_text())
        used = int((CGROUP / "memory.current").read_text()) - _cache_bytes()
        free = min(free, limit - used)
    return max(0, free)


def usable_bytes() -> int:
    """Return how much of the free memory a run may use, bytes."""
    return round(USABLE_FRACTION * free_bytes())


def _cache_bytes() -> int:
    """Return the page cache that the kernel gives up first when a cgroup has no memory left."""
    for line in (CGROUP / "memory.stat").read_text().splitlines():
        if line.startswith("inactive_file "):
            return int(line.split()[1])
    return 0
