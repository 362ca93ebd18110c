"""Read the memory of this process as the kernel counts it.

Linux keeps the highest resident memory of each process (``VmHWM`` in /proc/PID/status) and
lets its owner set that mark back by writing 5 to /proc/PID/clear_refs (proc(5)). Between
the two nothing is missed, however short. ``ru_maxrss`` will not do: it is inherited through
fork and exec, so a small child of a large parent reports the parent.
"""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path

from .errors import BenchmarkError

NAME = "kernel high-water mark (VmHWM), one process"

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


class MemoryGauge:
    """Peak and kept memory of this process from `start` on.

    Raises
    ------
    BenchmarkError
        This system does not let a process set its high-water mark back.
    """

    def __init__(self) -> None:
        self.baseline_bytes = 0

    def start(self) -> None:
        """Give freed memory back, set the mark back, and take the baseline."""
        give_back()
        try:
            _CLEAR_REFS.write_text(_RESET_PEAK)
        except OSError as error:
            raise BenchmarkError(
                f"Memory cannot be measured here: {_CLEAR_REFS} cannot be written ({error})."
            ) from error
        self.baseline_bytes = _status_bytes("VmRSS")

    def peak_bytes(self) -> int:
        """Highest resident memory since `start`, minus the baseline."""
        return _status_bytes("VmHWM") - self.baseline_bytes

    def kept_bytes(self) -> int:
        """Resident memory now, free memory given back, minus the baseline."""
        give_back()
        return _status_bytes("VmRSS") - self.baseline_bytes


def give_back() -> None:
    """Free what nothing refers to, and return free heap memory to the system.

    Without this, memory that was freed before hides the next use of it.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # glibc alone has it
        trim(0)


def _status_bytes(field: str) -> int:
    for line in _STATUS.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise BenchmarkError(f"Memory cannot be measured here: {_STATUS} has no line {field}.")
