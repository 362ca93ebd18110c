"""Watch the memory of a process tree from outside, tick by tick."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from . import procfs
from .peak import Sharing, Tick
from .shared_memory import ShmFiles

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from pathlib import Path

#: Between fork and exec a child shows its parent's pages; it is given this long to exec.
EXEC_SECONDS = 0.05

#: How long the tree is left alone before the baseline is read.
SETTLE_SECONDS = 0.02

#: The shared part moved if it changed by more than this fraction of all, and these KiB.
MOVED_FRACTION = 0.004
MOVED_KIB = 512

#: A process whose resident memory changed by less than this between ticks stood still.
STILL_KIB = 64


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
        self._seen_fork: dict[int, float] = {}
        self._shared: tuple[int, int] | None = None
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
        self._shared = (len(self._processes), self.ticks[0].moving)
        self._stopped.clear()
        self._wanted.clear()
        self._reader = threading.Thread(target=self._read_sharing_when_wanted, daemon=True)
        self._reader.start()

    def end(self) -> None:
        """Stop reading the sharing, after a last time."""
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
        while self._processes:
            self._processes.popitem()[1].close()

    def scan(self) -> None:
        """Look for processes that are new or gone."""
        seen = (self._itself | procfs.descendants(self._root)) - self._apart
        for pid in seen - self._processes.keys():
            try:
                forked = pid != self._run and procfs.is_fork(pid)
                first_seen = self._seen_fork.setdefault(pid, time.monotonic())
                if forked and time.monotonic() - first_seen < EXEC_SECONDS:
                    continue
                self._processes[pid] = procfs.ProcessMemory(pid, forked=forked)
            except OSError:  # it ended while it was looked at
                continue
        for pid in self._processes.keys() - seen:
            self._processes.pop(pid).close()

    def tick(self) -> Tick:
        """Read and reset the counters of every process that is known."""
        private = file = shmem = most_shmem = mark = spike = moved = 0
        forked = False
        for pid, process in list(self._processes.items()):
            before = process.resident_kib
            try:
                there = process.read()
            except OSError:
                there = False
            if not there:
                self._processes.pop(pid).close()
                moved += 1
                continue
            private += process.private_kib
            file += process.file_kib
            shmem += process.shmem_kib
            most_shmem = max(most_shmem, process.shmem_kib)
            mark += process.mark_kib
            forked |= process.forked
            above = max(0, process.mark_kib - max(process.resident_kib, before))
            spike += above
            moved += above > 0 or abs(process.resident_kib - before) > STILL_KIB
        row = Tick(
            seconds=time.monotonic(),
            processes=len(self._processes),
            private=private,
            file=file,
            shmem=shmem,
            moving=file + (private if forked else 0),
            files=self._shm.size_kib(self._processes),
            spike=spike,
            certain=moved <= 1,
            mark=mark,
            most_shmem=most_shmem,
        )
        self.ticks.append(row)
        self._want_sharing_if_moved(row)
        return row

    def resident_bytes(self) -> int:
        """Return how much the tree holds now, shared pages counted once a process."""
        return self.ticks[-1].resident * 1024

    def _want_sharing_if_moved(self, row: Tick) -> None:
        if row.processes < 2 or self._reader is None:  # noqa: PLR2004
            return
        bound = max(MOVED_KIB, MOVED_FRACTION * (row.private + row.file + row.shmem))
        known = self._shared
        if known is None or known[0] != row.processes or abs(row.moving - known[1]) > bound:
            self._shared = (row.processes, row.moving)
            self._wanted.set()

    def _read_sharing_when_wanted(self) -> None:
        while not self._stopped.is_set():
            self._wanted.wait()
            self._wanted.clear()
            if not self._stopped.is_set():
                self.read_sharing()

    def read_sharing(self) -> bool:
        """Read which pages are shared; tell whether nothing moved, so that the reading is kept."""
        processes = dict(self._processes)
        forked = any(process.forked for process in processes.values())
        before = self._moving_kib(processes, private=forked)
        start = time.monotonic()
        repeated = repeated_private = shmem = 0
        for pid in processes:
            share, status = procfs.rollup(pid), procfs.status(pid)
            if share is None:
                continue
            if forked:
                repeated_private += share.private_kib - share.proportional_private_kib
            repeated += procfs.field_kib(status, b"RssFile:") - share.proportional_file_kib
            shmem += share.proportional_shmem_kib
        if self._template and (share := procfs.rollup(self._template)):
            # Its part of those pages that it shares is theirs too.
            repeated -= share.proportional_file_kib - share.own_file_kib
            if forked:
                repeated_private -= share.proportional_private_kib - share.own_private_kib
        end = time.monotonic()
        after = self._moving_kib(processes, private=forked)
        still = abs(after - before) <= max(MOVED_KIB, MOVED_FRACTION * after)
        still &= processes.keys() == self._processes.keys()
        if still or not self.sharings:
            hidden = max(0, shmem - self._shm.size_kib(processes))
            self.sharings.append(Sharing(start, end, after, repeated, repeated_private, hidden))
        else:
            self._wanted.set()
        return still

    @staticmethod
    def _moving_kib(processes: dict[int, procfs.ProcessMemory], *, private: bool) -> int:
        names = [b"RssFile:", *([b"RssAnon:"] if private else [])]
        contents = map(procfs.status, processes)
        return sum(procfs.field_kib(content, name) for content in contents for name in names)
