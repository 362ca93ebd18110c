"""Memory, descendants and CPU time under /proc, in KiB: proc(5), and proc.rst of the kernel."""

from __future__ import annotations

import contextlib
import mmap
import os
import time
from dataclasses import dataclass
from pathlib import Path

#: Flag in /proc/PID/stat: forked, and no other program started since (linux/sched.h).
PF_FORKNOEXEC = 0x40

#: What one fault copies: since Linux 5.8 a huge page that is shared is split first.
PAGE_KIB = mmap.PAGESIZE // 1024

_RESET_PEAK = b"5"
_STATUS_BYTES = 8192
_STAT_BYTES = 1024


def field_kib(content: bytes, name: bytes) -> int:
    """Return the number behind ``name`` in a file of lines ``Name: number kB``; 0 if absent."""
    start = content.find(name)
    if start < 0:
        return 0
    start += len(name)
    return int(content[start : content.find(b"kB", start)])


def pidfd(pid: int) -> int | None:
    """Return a descriptor that can be read once a child has ended; None without one.

    Kernels before 5.3 have none, nor have some builds of Python, such as those of conda.
    """
    with contextlib.suppress(AttributeError, OSError):
        return os.pidfd_open(pid)
    return None


class ProcessMemory:
    """Counters of one process (KiB), descriptors stay open; raises OSError once it is gone."""

    def __init__(self, pid: int, *, forked: bool = False) -> None:
        #: Whether it shares its anonymous pages with its parent until they are written.
        self.forked = forked
        self.pid = pid
        #: `read_faults` of the last tick.
        self.faults_kib = 0
        #: What it may have copied since its sharing was read.
        self.copied_kib = 0
        self._status = os.open(f"/proc/{pid}/status", os.O_RDONLY)
        self._stat = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
        self._reset: int | None = None
        with contextlib.suppress(OSError):  # refused in some sandboxes: the mark then stays
            self._reset = os.open(f"/proc/{pid}/clear_refs", os.O_WRONLY)
        #: Whether the mark rose since the last reading; one that was set back then did.
        self.has_risen = True
        self._known_kib = 0
        self.mark_kib = self.resident_kib = 0
        self.private_kib = self.file_kib = self.shmem_kib = 0

    def read(self, *, reset: bool = True) -> bool:
        """Read the counters, and set the mark back; False once the process has ended."""
        content = os.pread(self._status, _STATUS_BYTES, 0)
        self.mark_kib = field_kib(content, b"VmHWM:")
        if not self.mark_kib:  # a zombie has no memory
            return False
        self.has_risen = self.mark_kib > self._known_kib
        self._known_kib = self.mark_kib
        if reset and self._reset is not None:
            os.pwrite(self._reset, _RESET_PEAK, 0)
            self._known_kib = 0
        self.resident_kib = field_kib(content, b"VmRSS:")
        self.private_kib = field_kib(content, b"RssAnon:")
        self.file_kib = field_kib(content, b"RssFile:")
        self.shmem_kib = field_kib(content, b"RssShmem:")
        return True

    def read_faults(self) -> int:
        """Read how often it was given a page, as KiB, and whether it is still a fork."""
        flags, faults = _flags_and_faults(os.pread(self._stat, _STAT_BYTES, 0))
        self.forked &= bool(flags & PF_FORKNOEXEC)
        return faults * PAGE_KIB

    def close(self) -> None:
        """Close the descriptors."""
        os.close(self._status)
        os.close(self._stat)
        if self._reset is not None:
            os.close(self._reset)


@dataclass(frozen=True)
class Rollup:
    """How much of a process's memory it shares (/proc/PID/smaps_rollup)."""

    proportional_kib: int
    private_kib: int
    proportional_private_kib: int
    proportional_shmem_kib: int
    #: Of files, and of private memory, what no other process maps.
    own_file_kib: int
    own_private_kib: int

    @property
    def proportional_file_kib(self) -> int:
        """The share of pages of files."""
        return self.proportional_kib - self.proportional_private_kib - self.proportional_shmem_kib


#: Lines of smaps_rollup, as the fields of `Rollup`: what is private is clean if it is of a file.
_SHARES = (
    b"\nPss:",
    b"\nAnonymous:",
    b"\nPss_Anon:",
    b"\nPss_Shmem:",
    b"\nPrivate_Clean:",
    b"\nPrivate_Dirty:",
)


def rollup(pid: int) -> Rollup | None:
    """Read the shares of a process; None once it is gone. Costs about 12 ms per GiB."""
    try:
        with Path(f"/proc/{pid}/smaps_rollup").open("rb", buffering=0) as file:
            content = file.read(_STATUS_BYTES)
    except OSError:
        return None
    return Rollup(*(field_kib(content, name) for name in _SHARES))


def status(pid: int) -> bytes:
    """Return /proc/PID/status, or nothing once the process is gone."""
    try:
        descriptor = os.open(f"/proc/{pid}/status", os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.read(descriptor, _STATUS_BYTES)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def maps(pid: int, path: Path) -> bool:
    """Tell whether a process maps a file."""
    try:
        return os.fsencode(path) in Path(f"/proc/{pid}/maps").read_bytes()
    except OSError:  # it ended while it was looked at
        return False


def descendants(root: int) -> set[int]:
    """Return the ids of all processes below a process."""
    found: set[int] = set()
    waiting = [root]
    while waiting:
        below = children(waiting.pop())
        found |= below
        waiting += below
    return found


def children(pid: int) -> set[int]:
    """Return the ids of the processes that the threads of a process have started."""
    found: set[int] = set()
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - read every few ms
            descriptor = os.open(f"/proc/{pid}/task/{thread}/children", os.O_RDONLY)
            try:
                found.update(int(child) for child in os.read(descriptor, 65536).split())
            finally:
                os.close(descriptor)
    except OSError:  # it ended while it was looked at
        return found
    return found


def faults_kib(pid: int) -> int:
    """Return how often a process was given a page, as KiB; 0 once it is gone."""
    try:
        return _flags_and_faults(Path(f"/proc/{pid}/stat").read_bytes())[1] * PAGE_KIB
    except OSError:
        return 0


def is_fork(pid: int) -> bool:
    """Tell whether a process still runs its parent's program; raises OSError if it is gone."""
    flags, _ = _flags_and_faults(Path(f"/proc/{pid}/stat").read_bytes())
    return bool(flags & PF_FORKNOEXEC)


def _flags_and_faults(stat: bytes) -> tuple[int, int]:
    """Return the flags and the minor faults; the name before them may hold anything."""
    fields = stat[stat.rfind(b")") + 2 :].split(maxsplit=8)
    return int(fields[6]), int(fields[7])


def is_running(pid: int) -> bool:
    """Tell whether a process is there and has not ended; a zombie has."""
    try:
        content = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return content[content.rfind(b")") + 2 :][:1] not in (b"Z", b"X")


def is_tracker(pid: int) -> bool:
    """Tell whether it is a resource tracker of multiprocessing or loky, which ends by itself."""
    try:
        return b"resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used, by its clock (clock_getcpuclockid(3))."""
    try:
        return time.clock_gettime(((~pid) << 3) | 2)
    except OSError:
        return 0.0


def folder_kib(path: Path) -> int:
    """Return the space that the files below a folder take."""
    total = 0
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    total += folder_kib(Path(entry.path))
                else:
                    total += entry.stat(follow_symlinks=False).st_blocks // 2
    except OSError:  # removed while it was looked at
        return total
    return total


def can_reset_peak() -> bool:
    """Tell whether a process may set its high-water mark back here."""
    try:
        Path("/proc/self/clear_refs").write_bytes(_RESET_PEAK)
    except OSError:
        return False
    return True
