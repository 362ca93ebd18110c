"""Watch the memory of a process tree from outside, tick by tick."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import procfs
from .peak import Sharing, Tick
from .shared_memory import ShmFiles

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from pathlib import Path

#: A fork that neither starts a program in this time nor copies much is a process like others.
EXEC_SECONDS = 0.05

#: How long the tree is left alone before the baseline is read.
SETTLE_SECONDS = 0.02

#: The shared part moved if it changed by more than this fraction of all, and these KiB.
MOVED_FRACTION = 0.004
MOVED_KIB = 512

#: A process whose resident memory changed by less than this between ticks stood still.
STILL_KIB = 64


@dataclass
class _Young:
    """A fork whose sharing was not read: what it shows is its parent's, but what it copied."""

    memory: procfs.ProcessMemory
    born: float = field(default_factory=time.monotonic)
    first_kib: int = 0
    own_kib: int = 0

    @property
    def is_ripe(self) -> bool:
        """Whether it has copied much, or starts no program."""
        return self.own_kib > MOVED_KIB or time.monotonic() - self.born > EXEC_SECONDS

    def read(self) -> bool:
        """Read how much it can have of its own; False once it has ended."""
        # Before it starts a program, its memory can be its parent's, and so can the mark.
        if not self.memory.read(reset=False):
            return False
        faults, private = self.memory.read_faults(), self.memory.private_kib
        self.first_kib = self.first_kib or private
        # A fault gives a page, or a huge one, by which it then holds more than at first.
        self.own_kib = min(private, max(faults, private - self.first_kib))
        self.memory.faults_kib = faults
        return True


class TreeSampler:
    """Counters of a process and all its descendants.

    Parameters
    ----------
    root : int
        Process id whose descendants are watched; it counts itself only ``with_root``.
    shm_folder : Path or None
        Folder in /dev/shm whose files count as memory. Files beside it count too if they are
        new and a process of the tree maps them.
    run : int, optional
        The first process of the tree, if it is a fork: its pages are its own, whoever shares them.
    template : int, optional
        The process that it was forked from, which is not of the tree but shares pages with it.
    apart : set of int
        Descendants of the root that are not of the tree.
    """

    def __init__(  # noqa: PLR0913 - all that a tree can differ in from another
        self,
        root: int,
        shm_folder: Path | None,
        *,
        run: int = 0,
        template: int | None = None,
        apart: AbstractSet[int] = frozenset(),
        with_root: bool = False,
    ) -> None:
        self._root, self._run, self._template, self._apart = root, run, template, apart
        self._itself = {root} if with_root else set[int]()
        self._shm = ShmFiles(shm_folder)
        self._processes: dict[int, procfs.ProcessMemory] = {}
        #: Forks that no reading of the sharing has seen yet, and those that one has.
        self._young: dict[int, _Young] = {}
        self._read: set[int] = set()
        #: The forks among the processes, and what was copied since there were any (KiB).
        self._forks: frozenset[int] = frozenset()
        self._copied_kib = 0
        self._counts_faults = False
        self._shared: tuple[int, int] | None = None
        #: Whether a call is on.
        self._measuring = False
        self.ticks: list[Tick] = []
        self.sharings: list[Sharing] = []
        self._wanted = threading.Event()
        self._stopped = threading.Event()
        self._reader: threading.Thread | None = None

    def begin(self) -> None:
        """Take the baseline, and from now on read the sharing whenever it has moved."""
        self.scan()
        time.sleep(SETTLE_SECONDS)
        self.sharings = []
        self.tick()
        self.read_sharing()
        self.tick()
        self.ticks = self.ticks[-1:]
        self._measuring = True
        self._shared = (len(self._processes), _may_have_moved(self.ticks[0]))
        self._stopped.clear()
        self._wanted.clear()
        self._reader = threading.Thread(target=self._read_sharing_when_wanted, daemon=True)
        self._reader.start()

    def end(self) -> None:
        """Stop reading the sharing, after a last time."""
        self._measuring = False
        self._stopped.set()
        self._wanted.set()
        if self._reader:
            self._reader.join()
        self._reader = None
        self.read_sharing()

    def close(self) -> None:
        """Let go of all processes, whether the call has ended or not."""
        self._stopped.set()
        self._wanted.set()
        if self._reader:
            self._reader.join()
        for fork in self._young.values():
            self._processes[fork.memory.pid] = fork.memory
        self._young = {}
        while self._processes:
            self._processes.popitem()[1].close()

    def scan(self) -> None:
        """Look for processes that are new or gone."""
        seen = (self._itself | procfs.descendants(self._root)) - self._apart
        new = seen - self._processes.keys() - self._young.keys()
        if new and self._measuring and self._is_one:
            self.tick(alone=False)  # its mark is of before there were others
        for pid in new:
            with contextlib.suppress(OSError):  # it ended while it was looked at
                self._take_in(pid, forked=pid != self._run and procfs.is_fork(pid))
        for pid in self._processes.keys() - seen:
            self._processes.pop(pid).close()
        for pid in self._young.keys() - seen:
            self._young.pop(pid).memory.close()

    def _take_in(self, pid: int, *, forked: bool) -> None:
        memory = procfs.ProcessMemory(pid, forked=forked)
        if forked:
            self._young[pid] = _Young(memory)
        else:
            self._processes[pid] = memory

    def _look_at_young(self) -> int:
        """Take in forks that were read, or are none any more; return what the others may hold."""
        for pid, fork in list(self._young.items()):
            try:
                there = fork.read()
            except OSError:
                there = False
            if not there:
                self._young.pop(pid).memory.close()
            elif pid in self._read or not fork.memory.forked:
                self._processes[pid] = self._young.pop(pid).memory
        return sum(fork.own_kib for fork in self._young.values())

    @property
    def _is_one(self) -> bool:
        return len(self._processes) == 1 and not self._young

    def tick(self, *, alone: bool = True) -> Tick:
        """Read and reset the counters of every process that is known.

        The mark of a process that stays ``alone`` is not set back during a call: what it rose to
        while the kernel waited to do so would be lost.
        """
        young = self._look_at_young()
        reset = not (alone and self._measuring and self._is_one)
        resident = {pid: process.resident_kib for pid, process in self._processes.items()}
        for pid in [pid for pid in resident if not self._is_there(pid, reset=reset)]:
            gone = self._processes.pop(pid)
            self._copied_kib -= gone.copied_kib
            gone.close()
        row = self._row(resident, young)
        self._forks, self._counts_faults = row.forks, bool(row.forks or self._young)
        self.ticks.append(row)
        self._want_sharing_if_moved(row)
        return row

    def _row(self, resident: dict[int, int], young: int) -> Tick:
        """Add the counters up, given what was resident at the last tick."""
        now = self._processes
        above = [
            max(0, p.mark_kib - max(p.resident_kib, resident[pid])) if p.has_risen else 0
            for pid, p in now.items()
        ]
        changed = [abs(p.resident_kib - resident[pid]) for pid, p in now.items()]
        moved = [up > 0 or by > STILL_KIB for up, by in zip(above, changed, strict=True)]
        forks = frozenset(pid for pid, process in now.items() if process.forked)
        private = sum(process.private_kib for process in now.values())
        file = sum(process.file_kib for process in now.values())
        return Tick(
            seconds=time.monotonic(),
            processes=len(now) + len(self._young),
            private=private,
            file=file,
            shmem=sum(process.shmem_kib for process in now.values()),
            moving=file + (private if forks else 0),
            files=self._shm.size_kib(now),
            spike=sum(above),
            certain=sum(moved) + len(resident) - len(now) <= 1,
            mark=sum(process.mark_kib for process in now.values()),
            most_shmem=max((process.shmem_kib for process in now.values()), default=0),
            copied=self._copied_kib,
            young=young,
            # The same object as long as nothing has changed: there is one for each tick.
            forks=self._forks if forks == self._forks else forks,
        )

    def _is_there(self, pid: int, *, reset: bool) -> bool:
        """Read a process, and what it may have copied where there are forks; False at its end."""
        process = self._processes[pid]
        before_kib, faults_kib = process.private_kib, process.faults_kib
        try:
            there = process.read(reset=reset)
            if there and (self._counts_faults or self._young):
                process.faults_kib = process.read_faults()
        except OSError:
            return False
        if there and self._counts_faults:
            grown = max(0, process.private_kib - before_kib)
            copied_kib = max(0, process.faults_kib - faults_kib - grown)
            process.copied_kib += copied_kib
            self._copied_kib += copied_kib
        return there

    def resident_bytes(self) -> int:
        """Return how much the tree holds now, shared pages counted once a process."""
        return self.ticks[-1].resident * 1024

    def _want_sharing_if_moved(self, row: Tick) -> None:
        if row.processes < 2 or self._reader is None:  # noqa: PLR2004
            return
        bound = max(MOVED_KIB, MOVED_FRACTION * row.resident)
        known, size = self._shared, _may_have_moved(row)
        ripe = any(fork.is_ripe for fork in self._young.values())
        if ripe or known is None or known[0] != row.processes or abs(size - known[1]) > bound:
            self._shared = (row.processes, size)
            self._wanted.set()

    def _read_sharing_when_wanted(self) -> None:
        while not self._stopped.is_set():
            self._wanted.wait()
            self._wanted.clear()
            if not self._stopped.is_set():
                self.read_sharing()

    def read_sharing(self) -> bool:
        """Read which pages are shared; tell whether nothing moved, so that the reading is kept."""
        # Copies, since the other thread takes processes in meanwhile.
        processes = dict(self._processes) | {
            pid: fork.memory for pid, fork in dict(self._young).items() if fork.is_ripe
        }
        has_forks = any(process.forked for process in processes.values())
        before, faults = self._moving_kib(processes, private=has_forks)
        # What was copied up to now, which may be more than the last tick has seen.
        seen = sum(process.faults_kib for process in processes.values())
        start, copied = time.monotonic(), self._copied_kib + max(0, faults - seen)
        of_each = {pid: process.copied_kib for pid, process in processes.items()}
        repeated, repeated_private, shmem, forks = self._shares_kib(processes, has_forks=has_forks)
        end = time.monotonic()
        after, drift = self._moving_kib(processes, private=has_forks)
        drift = max(0, drift - faults) if has_forks else 0
        still = abs(after - before) <= max(MOVED_KIB, MOVED_FRACTION * after)
        still &= self._processes.keys() <= processes.keys()
        still &= processes.keys() <= self._processes.keys() | self._young.keys()
        still &= len(forks) == sum(process.forked for process in processes.values())
        if still or not self.sharings:
            hidden = max(0, shmem - self._shm.size_kib(processes))
            self.sharings.append(
                Sharing(
                    *(start, end, after, repeated, repeated_private, hidden),
                    copied=copied + drift // 2,
                    drift=drift,
                    forks=forks,
                )
            )
            self._read |= forks.keys()
            for pid, copied in of_each.items():
                processes[pid].copied_kib -= copied
        else:
            self._wanted.set()
        return still

    def _shares_kib(
        self, processes: dict[int, procfs.ProcessMemory], *, has_forks: bool
    ) -> tuple[int, int, int, dict[int, int]]:
        """Return what is counted more than once, of files and private; and what is shared.

        That is shared memory, counted once, and the private memory that each fork shares.
        """
        repeated = repeated_private = shmem = 0
        forks = {}
        for pid, process in processes.items():
            share, status = procfs.rollup(pid), procfs.status(pid)
            if share is None:
                continue
            if process.forked and share.private_kib:  # else it has ended
                forks[pid] = share.private_kib - share.own_private_kib
            if has_forks:
                repeated_private += share.private_kib - share.proportional_private_kib
            repeated += procfs.field_kib(status, b"RssFile:") - share.proportional_file_kib
            shmem += share.proportional_shmem_kib
        if self._template and (share := procfs.rollup(self._template)):
            # Its part of those pages that it shares is theirs too.
            repeated -= share.proportional_file_kib - share.own_file_kib
            if has_forks:
                repeated_private -= share.proportional_private_kib - share.own_private_kib
        return repeated, repeated_private, shmem, forks

    @staticmethod
    def _moving_kib(
        processes: dict[int, procfs.ProcessMemory], *, private: bool
    ) -> tuple[int, int]:
        """Return what is counted now and can be shared, and the faults of all."""
        names = [b"RssFile:", *([b"RssAnon:"] if private else [])]
        contents = map(procfs.status, processes)
        sizes = sum(procfs.field_kib(content, name) for content in contents for name in names)
        return sizes, sum(map(procfs.faults_kib, processes))


def _may_have_moved(row: Tick) -> int:
    """Return what has to change for the sharing to be read again (KiB)."""
    return row.moving + row.copied + row.young
