"""Keep one worker: start it, watch it, end its whole tree, and leave nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.gauge import peak, procfs, shared_memory
from benchmarks.gauge.sampler import TreeSampler

from . import order

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .order import Assignment

TICK_SECONDS = 0.001
IDLE_SECONDS = 0.01
SCAN_EVERY = 4

#: Helpers that end by themselves once the worker is gone get this long, such as the
#: resource tracker of multiprocessing.
GRACE_SECONDS = 2.0

_PREFIX = "fmri-bench-"
_PR_SET_CHILD_SUBREAPER = 36


class Keeper:
    """One worker, watched from outside: the interpreter's lock would starve a thread in it."""

    def __init__(self, assignment: Assignment, shm: Path | None, scratch: Path) -> None:
        self._assignment = assignment
        self._asleep = not assignment.weighed
        self._ended = ""
        self._memory: list[dict[str, Any]] = []
        self._inbox, to_keeper = os.pipe()
        from_keeper, self._outbox = os.pipe()
        # Nothing is ever written here; that it hangs up tells the worker's kernel to end it.
        lifeline, self._lifeline = os.pipe()
        theirs = (lifeline, from_keeper, to_keeper)
        environment = os.environ | {
            "TMPDIR": str(scratch),
            "JOBLIB_TEMP_FOLDER": str(shm or scratch),
        }
        with tempfile.TemporaryFile() as payload:
            payload.write(assignment.payload)
            payload.seek(0)
            self._started = time.monotonic()
            self._worker = subprocess.Popen(
                [sys.executable, "-P", "-m", "benchmarks.runner.worker", *map(str, theirs)],
                stdin=payload,
                pass_fds=theirs,
                start_new_session=True,
                env=environment,
            )
        for descriptor in theirs:
            os.close(descriptor)
        # Orphans of the worker come to this process, so that they stay in sight.
        self._watch = TreeSampler(os.getpid(), shm)

    def run(self) -> dict[str, Any]:
        """See the worker through, and report how it ended and what was read."""
        poll = select.poll()
        exited = os.pidfd_open(self._worker.pid)
        for descriptor in (sys.stdin.fileno(), self._inbox, exited):
            poll.register(descriptor, select.POLLIN | select.POLLHUP)
        wait = self._pace(measuring=False)
        measuring = False
        count = 0
        while not self._ended:
            events = {descriptor for descriptor, _ in poll.poll(wait)}
            if sys.stdin.fileno() in events:
                self._ended = "abandoned"
            elif self._inbox in events and (message := os.read(self._inbox, 1)):
                measuring = self._answer(message)
                wait = self._pace(measuring=measuring)
            elif exited in events:
                break
            else:
                if self._inbox in events:
                    poll.unregister(self._inbox)
                count += 1
                self._look(scan=count % SCAN_EVERY == 0)
        self._worker.poll()
        left = self._end_tree()
        return {
            "code": self._worker.wait(),
            "ended": self._ended,
            "left": left,
            "memory": self._memory,
        }

    def _pace(self, *, measuring: bool) -> float:
        """Return how long to wait for an event, in ms; in time runs, until the bound of time."""
        if self._asleep:
            return (
                max(0.0, self._assignment.most_seconds - (time.monotonic() - self._started)) * 1000
            )
        return (TICK_SECONDS if measuring else IDLE_SECONDS) * 1000

    def _look(self, *, scan: bool) -> None:
        """Read the counters, and compare with the bounds."""
        if not self._asleep:
            if scan:
                self._watch.scan()
            self._watch.tick()
            if self._holds_more_than(self._assignment.most_bytes):
                self._ended = "memory"
        if time.monotonic() - self._started > self._assignment.most_seconds:
            self._ended = "time"

    def _holds_more_than(self, bound: int) -> bool:
        if self._watch.resident_bytes() <= bound:
            return False
        # That counted shared pages once a process; only the exact sum may end a run.
        return self._watch.read_sharing() and self._now() * 1024 > bound

    def _answer(self, message: bytes) -> bool:
        """Do what the worker asks for; return whether its call is being measured now."""
        watch = self._watch
        self._asleep = message == order.TIME
        if message == order.BEGIN:
            watch.begin()
            self._memory.append({"baseline_bytes": round(self._now() * 1024)})
        elif message == order.END:
            watch.scan()
            watch.tick()
            watch.end()
            self._memory[-1] |= asdict(peak.read_out(watch.ticks, watch.sharings))
        elif message == order.KEPT:
            base = peak.parts_at(watch.ticks[0], watch.sharings).total
            watch.scan()
            watch.tick()
            watch.read_sharing()
            watch.tick()
            self._memory[-1]["kept_bytes"] = round((self._now() - base) * 1024)
        os.write(self._outbox, order.GO)
        return bool(message == order.BEGIN)

    def _now(self) -> float:
        return peak.parts_at(self._watch.ticks[-1], self._watch.sharings).total

    def _end_tree(self) -> int:
        """End whatever is left of the tree; return how many did not end by themselves."""
        if self._ended:
            # Trackers of shared memory come last: they remove what the others leave.
            _kill(pid for pid in _living() if not procfs.is_tracker(pid))
        deadline = time.monotonic() + GRACE_SECONDS
        while (left := _living()) and time.monotonic() < deadline:
            time.sleep(IDLE_SECONDS)
        while living := _living():
            _kill(living)
            time.sleep(TICK_SECONDS)
        return len(left)


def _living() -> set[int]:
    """Return the processes below this one that have not ended; orphans come to it."""
    return {pid for pid in procfs.descendants(os.getpid()) if procfs.is_running(pid)}


def _kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def main() -> None:
    """Read the assignment from standard input, keep the worker, report in one line of JSON."""
    import ctypes  # noqa: PLC0415 - not needed by those who import the constants

    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    length = int.from_bytes(_read(order.LENGTH_BYTES), "little")
    assignment: Assignment = pickle.loads(_read(length))  # noqa: S301 - from our own runner
    memory = shared_memory.shared_memory()
    shm = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=memory)) if memory else None
    scratch = Path(tempfile.mkdtemp(prefix=_PREFIX))
    try:
        report = Keeper(assignment, shm, scratch).run()
    finally:
        for folder in filter(None, (shm, scratch)):
            shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.write(json.dumps({"keeper": report}) + "\n")


def _read(count: int) -> bytes:
    """Read from standard input without a buffer, which would hide its end from poll."""
    content = b""
    while len(content) < count:
        piece = os.read(0, count - len(content))
        if not piece:
            sys.exit(0)  # the runner is gone before it had begun
        content += piece
    return content


if __name__ == "__main__":
    main()
