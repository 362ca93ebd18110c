"""Give freed memory back to the system, so that its next use is seen."""

from __future__ import annotations

import ctypes
import gc
import sys


def give_back() -> None:
    """Free what nothing refers to, and return free heap memory to the system.

    Without this, memory that was freed before hides the next use of it: the allocator keeps
    it, and the process does not grow.
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:  # glibc alone has it
            trim(0)
