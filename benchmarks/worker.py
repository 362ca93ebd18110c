"""One run, in a fresh interpreter: what `runner` starts as ``python -m benchmarks.worker``.

Standard input holds the pickled order. The answer, one JSON object, goes to what standard
output was at the start; whatever the method prints goes to standard error.
"""

from __future__ import annotations

import gc
import json
import os
import pickle
import resource
import signal
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from . import agreement
from .gauge import MemoryGauge
from .results import MemoryRun, TimeRun

if TYPE_CHECKING:
    from collections.abc import Callable

NANOSECONDS = 1e-9


def die_with_parent(lifeline: int) -> None:
    """Have the kernel end this process group as soon as the other end of a pipe closes.

    The runner holds the other end, so even a kill of the runner leaves no process behind.
    No thread and no handler is needed: F_SETSIG chooses the signal that O_ASYNC sends when
    a pipe hangs up (fcntl(2), Linux).

    Parameters
    ----------
    lifeline : int
        File descriptor of the end to read from.
    """
    if sys.platform != "linux":
        return
    import fcntl  # noqa: PLC0415

    os.set_inheritable(lifeline, False)  # noqa: FBT003
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, os.O_ASYNC)
    # It may have closed before: then the read ends at once instead of waiting.
    os.set_blocking(lifeline, False)
    try:
        closed = os.read(lifeline, 1) == b""
    except BlockingIOError:
        closed = False
    if closed:
        os.killpg(0, signal.SIGKILL)


def timed(call: Callable[[], Any]) -> dict[str, Any]:
    """Run a call under the clock; nothing watches memory.

    Returns
    -------
    dict
        Fields of `TimeRun`, in seconds.
    """
    gc.collect()
    children = _children_cpu_seconds()
    cpu = time.process_time_ns()
    start = time.perf_counter_ns()
    returned = call()
    end = time.perf_counter_ns()
    cpu_end = time.process_time_ns()
    run = TimeRun(
        wall_seconds=(end - start) * NANOSECONDS,
        cpu_seconds=(cpu_end - cpu) * NANOSECONDS,
        children_cpu_seconds=_children_cpu_seconds() - children,
    )
    del returned  # not before: freeing a large array takes time that is not the method's
    return {"run": asdict(run)}


def weighed(call: Callable[[], Any]) -> dict[str, Any]:
    """Run a call under the memory gauge, and reduce what it returns.

    Returns
    -------
    dict
        Fields of `MemoryRun`, in bytes, and of `Returned`.
    """
    gauge = MemoryGauge()
    gauge.start()
    returned = call()
    peak_bytes = gauge.peak_bytes()
    run = MemoryRun(
        peak_bytes=peak_bytes,
        kept_bytes=gauge.kept_bytes(),
        baseline_bytes=gauge.baseline_bytes,
    )
    return {"run": asdict(run), "returned": asdict(agreement.reduce(returned))}


KINDS = {"time": timed, "memory": weighed}


def _children_cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Carry out one order: warm up, measure, answer."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    die_with_parent(int(sys.argv[1]))
    try:
        kind, function, args, kwargs = pickle.load(sys.stdin.buffer)  # noqa: S301

        def call() -> Any:
            return function(*args, **kwargs)

        call()  # lazy imports, caches and first touches of memory belong to no run
        content = KINDS[kind](call)
    except Exception as error:  # noqa: BLE001 - whatever the method raises is its status
        content = {"error": f"{type(error).__name__}: {error}"}
    with answer:
        json.dump(content, answer)


if __name__ == "__main__":
    main()
