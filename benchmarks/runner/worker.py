"""Carry out an order: in a fork of `template`, or as ``python -m benchmarks.runner.worker``."""

from __future__ import annotations

import functools
import gc
import json
import os
import pickle
import shutil
import signal
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from benchmarks.errors import WarmError
from benchmarks.gauge import clock, conditions, fallback
from benchmarks.gauge.readings import MemoryRun
from benchmarks.tasks import agreement

from . import order as messages

if TYPE_CHECKING:
    from collections.abc import Callable

    from .order import Order


def die_with_parent(lifeline: int) -> None:
    """Have the kernel end this process group as soon as the other end of a pipe closes."""
    # The keeper holds the other end, so that even a kill of it leaves no process behind. F_SETSIG
    # chooses the signal that O_ASYNC sends when a pipe hangs up (fcntl(2), Linux).
    import fcntl  # noqa: PLC0415 - Linux alone comes here

    os.set_inheritable(lifeline, False)  # noqa: FBT003
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, os.O_ASYNC)


class Line:
    """The line to the keeper, which is told where the call begins and ends."""

    def __init__(self, from_keeper: int, to_keeper: int) -> None:
        self._from, self._to = from_keeper, to_keeper
        for descriptor in (from_keeper, to_keeper):
            os.set_inheritable(descriptor, False)  # noqa: FBT003

    def say(self, message: bytes) -> None:
        """Send one letter, and wait until the keeper has done its part."""
        os.write(self._to, message)
        if not os.read(self._from, 1):
            os.killpg(0, signal.SIGKILL)


def weighed(call: Callable[[], Any], line: Line) -> Any:
    """Run a call while the keeper watches memory, and give back what it returns."""
    conditions.give_back()
    line.say(messages.BEGIN)
    returned = call()
    line.say(messages.END)
    conditions.give_back()
    line.say(messages.KEPT)
    return returned


def weighed_alone(call: Callable[[], Any]) -> tuple[Any, MemoryRun]:
    """Run a call where nobody can watch: this process reads its own peak, coarsely."""
    conditions.give_back()
    before = fallback.resident_bytes()
    returned = call()
    # The warm-up call counts too: the peak of a life can be no lower than that of a call.
    peak = max(0, fallback.peak_bytes() - before)
    conditions.give_back()
    kept = fallback.resident_bytes() - before
    # A peak of the warm-up call, or of the imports, may be higher than that of this call.
    return returned, MemoryRun(peak, kept, before, 0, peak, private_bytes=peak)


def carry_out(order: Order, line: Line | None) -> dict[str, Any]:
    """Warm up, make the runs, return fields of `TimeRun`, `MemoryRun` and `Returned` by kind."""
    content: dict[str, Any] = {"timed": [], "weighed": [], "returned": []}
    if order.copies:
        order = _copied(order)
    for index, args in enumerate(order.calls):
        call = functools.partial(order.function, *args, **order.kwargs)
        if order.warm_each or not index:
            call()  # lazy imports, caches and first touches of memory belong to no run
        if line and order.batch.time:
            line.say(messages.TIME)
        for _ in range(order.batch.time):
            gc.collect()
            _make_cold(order)
            content["timed"].append(asdict(clock.timed(call, once=order.is_cold)))
        _weigh(order, call, line, content)
    return content


def _copied(order: Order) -> Order:
    """Copy the file into the folder of temporary files, which the keeper removes in the end."""
    ((path,),) = order.calls
    ending = Path(path).name.partition(".")[2]
    folder = tempfile.mkdtemp()
    names = (f"run-{number}.{ending}" for number in range(1, order.copies + 1))
    copies = [shutil.copyfile(path, f"{folder}/{name}") for name in names]
    cold = tuple(copies) if order.cold_paths else ()
    return replace(order, calls=((copies,),), cold_paths=cold)


def _make_cold(order: Order) -> None:
    if order.cold_workers:
        conditions.end_workers()
    for path in order.cold_paths:
        conditions.make_cold(path)


def _weigh(
    order: Order,
    call: Callable[[], Any],
    line: Line | None,
    content: dict[str, Any],
) -> None:
    """Make the runs under the memory gauge."""
    for left in reversed(range(order.batch.memory)):
        _make_cold(order)
        if line:
            returned = weighed(call, line)
        else:
            returned, weight = weighed_alone(call)
            content["weighed"].append(asdict(weight))
        if order.reduced and not left:
            content["returned"].append(asdict(agreement.reduce(returned)))
        del returned  # it would count as memory that the next call finds


def answer(given: IO[bytes], to: int, line: Line | None) -> None:
    """Read a pickled order, carry it out, and answer in one line of JSON."""
    try:
        content = carry_out(pickle.load(given), line)  # noqa: S301 - from our own runner
    except WarmError as error:
        content = {"warm": str(error)}
    except Exception as error:  # noqa: BLE001 - whatever the method raises is its status
        content = {"error": f"{type(error).__name__}: {error}"}
    with os.fdopen(to, "w", encoding="utf-8") as file:
        file.write(json.dumps({"worker": content}) + "\n")


def main() -> None:
    """Carry out the order on standard input, where there is no keeper."""
    to = os.dup(1)
    # Whatever the method prints goes to standard error.
    os.dup2(2, 1)
    answer(sys.stdin.buffer, to, None)


if __name__ == "__main__":
    main()
