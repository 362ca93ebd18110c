"""Measure the gauge with calls whose need is known, before it measures anything else.

What was found is stored as the results of a task named ``gauge``, beside those that rest on
it, and is fresh as long as the code of the gauge is the same.
"""

from __future__ import annotations

import functools
import hashlib
import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import gauge, known, orders, progress, runner
from .errors import GaugeError
from .known import Known
from .results import Result
from .units import MIB, format_bytes

if TYPE_CHECKING:
    from .data import FmriFile
    from .store import Store

TASK = "gauge"

_CODE = (
    "gauge",
    "watching",
    "shmfiles",
    "procfs",
    "keeper",
    "worker",
    "heap",
    "known",
    "orders",
    "selfcheck",
)


@dataclass(frozen=True)
class Check:
    """One known call, and what the gauge read."""

    call: Known
    read_bytes: float

    @property
    def error_bytes(self) -> float:
        """What was read minus the truth."""
        return self.read_bytes - self.call.peak_bytes


def calls(path: Path, file_bytes: int) -> list[Known]:
    """Return the calls: one process short and long, freed memory, two workers, a shared map.

    Parameters
    ----------
    path : Path
        A file to map; the one that is measured on will do.
    file_bytes : int
        Its size.
    """
    mapped = -(-file_bytes // mmap.PAGESIZE) * mmap.PAGESIZE
    file = (str(path), 0.05)
    return [
        Known("a block for a moment", known.hold, (16, 0.0005), 16 * MIB),
        Known("a large block for longer", known.hold, (256, 0.05), 256 * MIB),
        Known("memory that was freed before", known.heap_again, (128,), 128 * MIB),
        Known("memory that threads freed before", known.heap_again_in_threads, (64,), 128 * MIB),
        Known("two workers together", known.two_workers, (128, 0.05), 256 * MIB, tree=True),
        Known("two workers map a file", known.two_workers_map_a_file, file, mapped, tree=True),
    ]


def stored(store: Store, file: FmriFile) -> list[Check]:
    """Return what was found with the present code of the gauge; empty if that is missing."""
    found = []
    for call in calls(file.path, file.data.file_bytes):
        result = store.get(TASK, call.label)
        if result is None or result.status != "ok":
            return []
        # Reference results rest on the gauge as it was then.
        if result.source_sha256 != _digest() and not store.is_fixed:
            return []
        found.append(Check(call, result.peak_bytes.median))
    return found


def ensure(store: Store, file: FmriFile) -> list[Check]:
    """Measure the gauge unless that was done, and refuse one that is wrong.

    A coarse gauge is not measured: it is labelled, and its figures stand apart.

    Raises
    ------
    GaugeError
        It was off by more than this project promises.
    StoreError
        What was found cannot be stored.
    """
    if gauge.name() != gauge.NAME and not store.is_fixed:
        return []
    checks = stored(store, file)
    if checks or store.is_fixed:
        return checks
    progress.say("Measuring the gauge itself on known calls.")
    for call in calls(file.path, file.data.file_bytes):
        result = _measured(call)
        check = Check(call, result.peak_bytes.median)
        if abs(check.error_bytes) > call.bound_bytes:
            raise GaugeError(
                f"The memory gauge is off: {call.label} needs {format_bytes(call.peak_bytes)}, "
                f"and {format_bytes(check.read_bytes)} were read. Nothing is measured with it. "
                "Try again on a quiet machine; if it stays, please report the system."
            )
        store.put(result)
        checks.append(check)
    return checks


def _measured(call: Known) -> Result:
    """Run a known call: once if that is right, else as often as any figure is measured."""
    result = Result(TASK, call.label, _digest(), raw_bytes=call.peak_bytes)
    for _ in range(runner.MEMORY_RUNS):
        outcome = runner.run_once(orders.order(orders.Batch(memory=1), call.function, *call.args))
        result = runner.extended(result, outcome)
        if result.status != "ok":
            raise GaugeError(f"The gauge could not be checked: {call.label}: {result.message}.")
        if abs(result.peak_bytes.median - call.peak_bytes) <= call.bound_bytes:
            break
    return result


@functools.cache
def _digest() -> str:
    folder = Path(__file__).parent
    code = b"".join((folder / f"{name}.py").read_bytes() for name in _CODE)
    return hashlib.sha256(code).hexdigest()
