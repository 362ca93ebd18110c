"""Keep templates and watch one run at a time: end its whole tree, and leave nothing behind."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import pickle
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.gauge import machine, peak, procfs, shared_memory
from benchmarks.gauge.sampler import TreeSampler

from . import order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .order import Assignment, Origin

TICK_SECONDS = 0.001
IDLE_SECONDS = 0.01

#: In time runs, where the kernel does not tell of the end of a process.
ASK_SECONDS = 0.1
SCAN_EVERY = 4

#: Helpers that end by themselves once the run is over get this long, such as the resource
#: tracker of multiprocessing.
GRACE_SECONDS = 2.0

#: Templates wait this long for another order before they are ended, and give back their memory.
WAIT_SECONDS = 120.0

#: At most so many templates wait at a time; fewer where not so much memory is free for each, of
#: which one that has imported nilearn holds a fourth.
MOST_TEMPLATES = 24
TEMPLATE_BYTES = 512 << 20

#: How many files this process may open, and could: there are three for each process of a run.
_OPEN_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)

_EVENTS = select.POLLIN | select.POLLHUP
_PR_SET_CHILD_SUBREAPER = 36
_MESSAGE_BYTES = 64


def prefix(keeper: int) -> str:
    """Return how the names of all folders begin that a keeper makes, by its process id."""
    return f"fmri-bench-{keeper}-"


class Template:
    """A process that has imported once and forks each run, or that is the run itself."""

    def __init__(self, origin: Origin, printed: int, *, fresh: bool) -> None:
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        kind = order.FRESH if fresh else order.FORK
        module = "benchmarks.runner.template"
        words = [*order.command(origin.python, module), str(theirs.fileno()), kind]
        with theirs:
            self.process = subprocess.Popen(
                [*words, *([] if fresh else origin.imports)],
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=printed,
                pass_fds=[theirs.fileno()],
                env=dict(origin.environment),
                cwd=origin.folder,
            )
        # Methods have the limit that the user has.
        resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, _OPEN_FILES)
        #: Is ready to be read once it has ended; None where it has to be asked.
        self.exited = procfs.pidfd(self.process.pid)
        #: Whether its runs are forks; not known before it has imported.
        self.forks: bool | None = None

    def told(self) -> str:
        """Return what it says next; nothing if it has ended."""
        try:
            return self.socket.recv(_MESSAGE_BYTES).decode()
        except ConnectionResetError:  # it was killed before it had read its order
            return ""

    def end(self) -> int:
        """End it, which holds nothing that could be lost; return the code it ended with."""
        self.process.kill()
        code = self.process.wait()
        self.socket.close()
        if self.exited is not None:
            os.close(self.exited)
        return code

    @property
    def has_ended(self) -> bool:
        """Whether it has ended."""
        return self.process.poll() is not None


class Run:
    """One run, watched from outside: the interpreter's lock would starve a thread in it."""

    def __init__(
        self, assignment: Assignment, template: Template, others: set[int], shm: Path | None
    ) -> None:
        self._assignment, self._template = assignment, template
        self._others, self._shm = others, shm
        self._asleep = not assignment.weighed
        self._measuring = False
        self._started = time.monotonic()
        self._ended = ""
        self._memory: list[dict[str, Any]] = []
        self._pid: int | None = None
        self._code: int | None = None
        self._watch: TreeSampler | None = None
        self._poll = select.poll()

    def begin(self, files: Iterable[int], folders: list[str]) -> None:
        """Send the order on to the template, with the ends of the pipes that the run needs."""
        self._inbox, to_keeper = os.pipe()
        from_keeper, self._outbox = os.pipe()
        # Nothing is ever written here; that it hangs up tells the kernel to end the run.
        lifeline, self._lifeline = os.pipe()
        theirs = (lifeline, from_keeper, to_keeper)
        message = json.dumps(folders).encode()
        # One that has just ended is seen to in `see_through`.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            socket.send_fds(self._template.socket, [message], [*files, *theirs])
        for descriptor in theirs:
            os.close(descriptor)

    def see_through(self, runner: socket.socket) -> dict[str, Any]:
        """Wait until the run has ended, and report how it did and what was read."""
        poll = self._poll
        told, exited = self._template.socket.fileno(), self._template.exited
        for descriptor in (runner.fileno(), told, exited):
            if descriptor is not None:
                poll.register(descriptor, _EVENTS)
        count = 0
        while not self._ended and self._code is None:
            events = {descriptor for descriptor, _ in poll.poll(self._pace())}
            if runner.fileno() in events:
                self._ended = "abandoned"
            elif self._watch and self._inbox in events and (message := os.read(self._inbox, 1)):
                self._answer(message, self._watch)
            elif told in events and (words := self._template.told()):
                self._hear(words)
            elif exited in events or (exited is None and self._template.has_ended):
                break
            else:
                for descriptor in {self._inbox, told} & events:  # closed, and never quiet again
                    poll.unregister(descriptor)
                count += 1
                self._look(scan=count % SCAN_EVERY == 0)
        if self._pid is None:
            self._code = self._template.end()  # before it forks
        left = self._end_tree()
        return {
            "code": self._exit_code(),
            "ended": self._ended,
            "left": left,
            "memory": self._memory,
            "forked": self._template.forks is True,
        }

    def close(self) -> None:
        """Close the pipes."""
        for descriptor in (self._inbox, self._outbox, self._lifeline):
            os.close(descriptor)

    def _hear(self, message: str) -> None:
        """Take in what the template says: what it is, the run's id, the code it ended with."""
        if message in {order.FORK, order.FRESH}:
            self._template.forks = message == order.FORK
            if message == order.FORK:
                return
            self._pid = self._template.process.pid
        elif self._pid is None:
            self._pid = int(message)
        else:
            self._code = int(message)
            return
        forked_from = self._template.process.pid if self._template.forks else None
        # Orphans of the run come to this process, so that they stay in sight.
        self._watch = TreeSampler(
            os.getpid(), self._shm, run=self._pid, template=forked_from, apart=self._apart
        )
        # The run may have spoken before its template had told of it.
        self._poll.register(self._inbox, _EVENTS)

    @property
    def _apart(self) -> set[int]:
        """The processes that are not of the run: the templates, unless one is the run."""
        return {*self._others, self._template.process.pid} - {self._pid}

    def _exit_code(self) -> int:
        """Return how the run ended; a template that is the run itself has ended with it."""
        if self._template.forks:
            while self._code is None and (told := self._template.told()):
                self._code = int(told)
        return self._template.end() if self._code is None else self._code

    def _pace(self) -> float:
        """Return how long to wait for an event, in ms; in time runs, until the bound of time."""
        if self._asleep:
            left = self._assignment.most_seconds - (time.monotonic() - self._started)
            if self._template.exited is None:
                left = min(left, ASK_SECONDS)
            return max(0.0, left) * 1000
        return (TICK_SECONDS if self._measuring else IDLE_SECONDS) * 1000

    def _look(self, *, scan: bool) -> None:
        """Read the counters, and compare with the bounds."""
        if self._watch and not self._asleep:
            if scan:
                self._watch.scan()
            self._watch.tick()
            if self._holds_more_than(self._watch, self._assignment.most_bytes):
                self._ended = "memory"
        if time.monotonic() - self._started > self._assignment.most_seconds:
            self._ended = "time"

    @staticmethod
    def _holds_more_than(watch: TreeSampler, bound: int) -> bool:
        if watch.resident_bytes() <= bound:
            return False
        # That counted shared pages once a process; only the exact sum may end a run.
        return watch.read_sharing() and _now(watch) * 1024 > bound

    def _answer(self, message: bytes, watch: TreeSampler) -> None:
        """Do what the run asks for, and note whether its call is being measured now."""
        # What is looked up in what a call returned is no need of the method.
        self._asleep = message in {order.TIME, order.KEPT}
        self._measuring = message == order.BEGIN
        if message == order.BEGIN:
            watch.begin()
            self._memory.append({"baseline_bytes": round(_now(watch) * 1024)})
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
            self._memory[-1]["kept_bytes"] = round((_now(watch) - base) * 1024)
        with contextlib.suppress(BrokenPipeError):  # it was killed, which will be heard next
            os.write(self._outbox, order.GO)

    def _end_tree(self) -> int:
        """End whatever is left of the tree; return how many did not end by themselves."""
        left = set() if self._ended else self._left()
        # Trackers of shared memory come last: they remove what the others leave.
        _kill(pid for pid in self._living() if not procfs.is_tracker(pid))
        left |= self._left()
        while living := self._living():
            _kill(living)
            time.sleep(TICK_SECONDS)
        if self._watch:
            self._watch.close()
        return len(left)

    def _left(self) -> set[int]:
        """Return the processes of the run that have not ended after some time."""
        deadline = time.monotonic() + GRACE_SECONDS
        while (left := self._living()) and time.monotonic() < deadline:
            time.sleep(IDLE_SECONDS)
        return left

    def _living(self) -> set[int]:
        """Return the processes of the run that have not ended."""
        found = procfs.descendants(os.getpid()) - self._apart
        return {pid for pid in found if procfs.is_running(pid)}


def _now(watch: TreeSampler) -> float:
    return peak.parts_at(watch.ticks[-1], watch.sharings).total


def _kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Keeper:
    """The templates, the latest used last, and what is done with each assignment."""

    def __init__(self, runner: socket.socket) -> None:
        self._runner = runner
        self._templates: dict[Origin, Template] = {}

    def serve(self) -> None:
        """Carry out assignments until the runner is gone."""
        poll = select.poll()
        poll.register(self._runner, _EVENTS)
        try:
            while True:
                if not poll.poll(WAIT_SECONDS * 1000):
                    self._end(0)
                    continue
                message, files = b"", list[int]()
                # A runner that was killed may not have read all that it was sent.
                with contextlib.suppress(ConnectionResetError):
                    message, files, _, _ = socket.recv_fds(self._runner, 1, 3)
                if not message:
                    return
                self._carry_out(files)
        finally:
            self._end(0)

    def _carry_out(self, files: list[int]) -> None:
        """See a run through, write the report behind its answer, and say that it is there."""
        given, answer, printed = files
        with os.fdopen(os.dup(given), "rb") as file:
            assignment: Assignment = pickle.load(file)  # noqa: S301 - from our own runner
            os.lseek(given, file.tell(), os.SEEK_SET)  # the order follows
        with _folders(assignment.temporary) as (scratch, shm):
            template = self._template(assignment, printed)
            run = Run(assignment, template, self._waiting, shm)
            run.begin(files, [str(scratch), str(shm or scratch)])
            report = run.see_through(self._runner)
            run.close()
        if template.process.returncode is None:
            self._templates[assignment.origin] = template
        _reap(but=self._waiting)
        os.write(answer, json.dumps({"keeper": report}).encode() + b"\n")
        for descriptor in files:
            os.close(descriptor)
        # It has abandoned the run, or is gone.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._runner.send(b".")

    @property
    def _waiting(self) -> set[int]:
        return {template.process.pid for template in self._templates.values()}

    def _template(self, assignment: Assignment, printed: int) -> Template:
        """Take a template out of those that wait, or start it."""
        found = None if assignment.fresh else self._templates.pop(assignment.origin, None)
        if found and found.process.poll() is None:
            return found
        if found:
            found.end()
        self._end(min(MOST_TEMPLATES, machine.usable_bytes() // TEMPLATE_BYTES) - 1)
        return Template(assignment.origin, printed, fresh=assignment.fresh)

    def _end(self, but: int) -> None:
        """End the templates that were not used for longest, all but some."""
        while len(self._templates) > max(0, but):
            self._templates.pop(next(iter(self._templates))).end()


@contextlib.contextmanager
def _folders(temporary: str) -> Iterator[tuple[Path, Path | None]]:
    """Make folders for temporary files, the second in memory where that is; remove them."""
    memory = shared_memory.shared_memory()
    begun = prefix(os.getpid())
    scratch = Path(tempfile.mkdtemp(prefix=begun, dir=temporary))
    shm = Path(tempfile.mkdtemp(prefix=begun, dir=memory)) if memory else None
    try:
        yield scratch, shm
    finally:
        for folder in filter(None, (shm, scratch)):
            shutil.rmtree(folder, ignore_errors=True)


def _reap(but: set[int]) -> None:
    """Let go of orphans that have ended, which no template waits for."""
    for pid in procfs.children(os.getpid()) - but:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def main() -> None:
    """Serve the runner at the other end of a socket."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES[1],) * 2)
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with socket.socket(fileno=int(sys.argv[1])) as runner:
        runner.set_inheritable(False)
        Keeper(runner).serve()


if __name__ == "__main__":
    main()
