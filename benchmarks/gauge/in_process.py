"""The highest memory while a function runs in this process: for what has no process of its own."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.units import MIB

from . import fallback, peak
from .sampler import TreeSampler

if TYPE_CHECKING:
    from collections.abc import Callable

#: Between two looks at the process tree: the least, a part of the time that has passed, and the
#: most, which is how often memory_profiler looks. Of this process, nothing is missed meanwhile.
_LEAST_SECONDS = 0.01
_PART = 0.01
_MOST_SECONDS = 0.1

_KIB = 1024


class ShowMemory:
    """What sphinx-gallery can ask for memory: ``"show_memory": benchmarks.show_memory``.

    Called with a function, it returns the highest memory of this process and all below it while
    the function ran (MiB, each page counted once), and what the function returned.

    It is an object, since Sphinx cannot keep a function of ``conf.py`` from one build to the next.
    """

    def __init__(self) -> None:
        #: Pages that this process shares with others that are none of ours, while it had none.
        self._outside_kib = 0

    def __call__(self, function: Callable[[], Any]) -> tuple[float, Any]:
        """Run a function without arguments, and return the peak (MiB) and what it returned."""
        return self._sg_call_memory(function)

    def _sg_call_memory(self, function: Callable[[], Any]) -> tuple[float, Any]:
        # sphinx-gallery leaves frames out of an example's traceback down to one of this name.
        if peak.name() != peak.NAME:
            return _coarse(function)
        watch = TreeSampler(os.getpid(), None, run=os.getpid(), with_root=True)
        watch.begin()
        try:
            with _Looking(lambda: _look(watch)):
                returned = function()
            _look(watch)
            watch.end()
            return self._peak_bytes(watch) / MIB, returned
        finally:
            watch.close()

    def _peak_bytes(self, watch: TreeSampler) -> int:
        first, sharing = watch.ticks[0], watch.sharings[0]
        if first.processes == 1:
            self._outside_kib = sharing.repeated
            base = first.resident
        else:
            base = round(peak.parts_at(first, watch.sharings).total) + self._outside_kib
        return base * _KIB + peak.read_out(watch.ticks, watch.sharings).peak_bytes


class _Looking:
    """Calls a function now and then, from a thread, while a block is carried out."""

    def __init__(self, look: Callable[[], object]) -> None:
        self._look = look
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _go_on(self) -> None:
        started, wait = time.monotonic(), _LEAST_SECONDS
        while not self._ended.wait(wait):
            self._look()
            elapsed = time.monotonic() - started
            wait = min(_MOST_SECONDS, max(_LEAST_SECONDS, _PART * elapsed))


def _look(watch: TreeSampler) -> None:
    watch.scan()
    watch.tick()
    baseline, *others = watch.ticks
    if all(tick.processes == 1 for tick in watch.ticks):
        # Of one process the highest mark is all that counts; to keep more would need memory.
        highest = max(others, key=lambda tick: tick.mark)
        # What lay between is left out, so that the mark is above what is kept.
        spike = highest.mark - max(highest.resident, baseline.resident)
        watch.ticks = [baseline, replace(highest, spike=max(0, spike))]


def _coarse(function: Callable[[], Any]) -> tuple[float, Any]:
    """Do without marks that can be set back: a rise of the process's own mark, or samples."""
    seen = [_resident_bytes()]
    mark = fallback.peak_bytes()
    with _Looking(lambda: seen.append(max(_resident_bytes(), seen.pop()))):
        returned = function()
    now = fallback.peak_bytes()
    return max(*seen, _resident_bytes(), now if now > mark else 0) / MIB, returned


def _resident_bytes() -> int:
    """Return the resident memory of this process and all below it, shared pages once each."""
    total = fallback.resident_bytes()
    for process in psutil.Process().children(recursive=True):
        try:
            total += process.memory_info().rss
        except psutil.Error:  # it ended while it was looked at
            continue
    return total


show_memory = ShowMemory()
