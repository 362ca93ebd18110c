"""Measure the gauge with calls whose need is known, before it measures anything else."""

from __future__ import annotations

import functools
import hashlib
import mmap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks import progress
from benchmarks.errors import GaugeError
from benchmarks.files import PACKAGE
from benchmarks.gauge import peak
from benchmarks.results.result import Result
from benchmarks.units import MIB, format_bytes

from . import execute
from . import known_calls as known
from .known_calls import Known
from .launch import prepare
from .order import Batch, Order
from .rounds import Lot, rounds
from .schedule import MEMORY_RUNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.results.dataset import Dataset
    from benchmarks.results.store import Store

TASK = "gauge"

#: What reads a peak; the readings are fresh as long as none of it changes.
_CODE = (
    "gauge/*.py",
    *(
        f"runner/{n}.py"
        for n in ("keeper", "known_calls", "launch", "order", "self_check", "template", "worker")
    ),
)


#: A fork copies pages of the interpreter when it counts references; if it does nothing else, at
#: most so many. How many it copies here is measured, and allowed for where there are forks.
MOST_FORK_BYTES = 4 * MIB


@dataclass(frozen=True)
class Check:
    """One known call, and what the gauge read."""

    call: Known
    read_bytes: float
    #: What one fork needs of its own, as the gauge read it.
    fork_bytes: float = 0.0

    @property
    def error_bytes(self) -> float:
        """What was read minus the truth."""
        return self.read_bytes - self.call.peak_bytes

    @property
    def is_kept(self) -> bool:
        """Whether the gauge kept what this project promises."""
        own_bytes = self.call.forks * (self.fork_bytes or MOST_FORK_BYTES)
        return -self.call.bound_bytes <= self.error_bytes <= self.call.bound_bytes + own_bytes


def calls(dataset: Dataset) -> list[Known]:
    """Return the calls: one process short and long, freed memory, workers, a shared map, forks."""
    mapped = -(-dataset.file_bytes // mmap.PAGESIZE) * mmap.PAGESIZE
    file = (str(dataset.path), 0.05)
    return [
        Known("a block for a moment", known.hold, (16, 0.0005), 16 * MIB),
        Known("a large block for longer", known.hold, (256, 0.05), 256 * MIB),
        Known("memory that was freed before", known.heap_again, (128,), 128 * MIB),
        Known("memory that threads freed before", known.heap_again_in_threads, (64,), 128 * MIB),
        Known("two workers together", known.two_workers, (128, 0.05), 256 * MIB, tree=True),
        # Less than the allocator gives back by itself.
        Known("two workers a second time", known.two_workers, (24, 0.05), 48 * MIB, tree=True),
        Known("two workers map a file", known.two_workers_map_a_file, file, mapped, tree=True),
        Known("a fork waits", known.forks, (1, 0, 0.0, 0.05), 0, tree=True, forks=1),
        *(_copying(f"{words} a half", n) for n, words in enumerate(_COPYING, 1)),
        _copying("two forks copy a half by and by", 2, 64 * 1024),
        Known(
            "a fork copies all and ends",
            known.brief_fork,
            (64, 0.02),
            2 * 64 * MIB,
            tree=True,
            forks=1,
        ),
        Known("a pool of two waits", known.pool, (2, 0, 0.0, 0.05), 0, tree=True, forks=2),
        Known(
            "a pool of two copies a half",
            known.pool,
            (2, 64, 0.5, 0.05),
            2 * 64 * MIB,
            tree=True,
            forks=2,
        ),
    ]


_COPYING = ("a fork copies", "two forks copy", "three forks copy")


def _copying(label: str, count: int, step_bytes: int = 0) -> Known:
    """Return a call whose forks copy half of the 64 MiB that they share."""
    args = (count, 64, 0.5, 0.05, step_bytes)
    return Known(label, known.forks, args, (64 + count * 32) * MIB, tree=True, forks=count)


def stored(store: Store[Any]) -> list[Check]:
    """Return what was found with the present code of the gauge; empty if that is missing."""
    found: list[Check] = []
    for call in calls(store.data):
        result = store.fresh(TASK, call.label, _digest(), local=True)
        if result is None or result.failed:
            return []
        found.append(Check(call, result.peak_bytes.median, _fork_bytes(call, found)))
    return found


def _fork_bytes(call: Known, checks: Sequence[Check]) -> float:
    """Return what was read for a fork that only waits; forks of a pool do more than others."""
    if not call.peak_bytes:
        return 0.0
    waiting = [check for check in checks if check.call.forks and not check.call.peak_bytes]
    alike = [check for check in waiting if check.call.function == call.function] or waiting
    return max((check.read_bytes / check.call.forks for check in alike), default=0.0)


def ensure(store: Store[Any]) -> list[Check]:
    """Measure the gauge unless that was done; raises GaugeError if it breaks its promise.

    A coarse gauge is not measured: it is labelled, and its figures stand apart.
    """
    if peak.name() != peak.NAME and not store.is_reference:
        return []
    checks = stored(store)
    if checks or store.is_reference:
        return checks
    progress.say("Measuring the gauge itself on known calls.")
    for call in calls(store.data):
        checks.append(_checked(call, store, _fork_bytes(call, checks)))
    return checks


def _checked(call: Known, store: Store[Any], fork_bytes: float) -> Check:
    """Measure a known call: once if that is right, else as often as any figure is measured."""

    def missing(results: tuple[Result, ...]) -> list[Batch]:
        (result,) = results
        if result.memory_runs and Check(call, result.peak_bytes.median, fork_bytes).is_kept:
            return []
        return [Batch(memory=1)] * (MEMORY_RUNS - len(result.memory_runs))

    def accept(results: tuple[Result, ...]) -> tuple[Result, ...]:
        (result,) = results
        if result.failed:
            raise GaugeError(f"The gauge could not be checked: {call.label}: {result.message}.")
        if missing(results):
            return results
        check = Check(call, result.peak_bytes.median, fork_bytes)
        if not check.is_kept:
            raise GaugeError(
                f"The memory gauge is off: {call.label} needs {format_bytes(call.peak_bytes)}, "
                f"and {format_bytes(check.read_bytes)} were read. Nothing is measured with it. "
                "Try again on a quiet machine; if it stays, please report the system."
            )
        return results

    begun = Result(TASK, call.label, _digest(), raw_bytes=call.peak_bytes)
    lot = Lot(
        call.label,
        (begun,),
        None,
        missing,
        lambda _, batch: [execute.carry_out(prepare(Order(call.function, (call.args,), batch)))],
        accept,
    )
    rounds([lot])
    store.put(*lot.results)  # not before it was right: readings that are wrong are refused
    return Check(call, lot.results[0].peak_bytes.median, fork_bytes)


@functools.cache
def _digest() -> str:
    paths = sorted(path for pattern in _CODE for path in PACKAGE.glob(pattern))
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
