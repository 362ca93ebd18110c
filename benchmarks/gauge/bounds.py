"""What bounds a process here: the machine, its cgroups, its batch job, the limits of its shell."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import psutil

from benchmarks.units import KIB, MIB

from . import shared_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What is bounded: in bytes, but for processors. Files in memory count as memory as well.
MEMORY, PROCESSORS, FILES, ARRAYS = (
    "memory",
    "processors",
    "files in memory",
    "arrays for workers",
)

#: Where /proc and /sys are.
ROOT = Path("/")

#: A limit of cgroup v1 that is none: the largest number of pages (PAGE_COUNTER_MAX), in bytes.
UNLIMITED_BYTES = 2**62

#: Memory of a cgroup: its controller, empty for cgroup v2; the limit; what is in use; and how
#: memory.stat calls the page cache that the kernel gives up first. Above memory.high, which SLURM
#: sets too, v2 stops nothing, but slows everything down.
_CGROUP_MEMORY = (
    ("", "memory.max", "memory.current", "inactive_file"),
    ("", "memory.high", "memory.current", "inactive_file"),
    ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)

#: Processors of a cgroup, the same for all above it: its controller, and the list.
_CPUSETS = (("", "cpuset.cpus.effective"), ("cpuset", "cpuset.effective_cpus"))

#: What batch systems grant and may enforce without the kernel: by this variable, in bytes if no
#: unit follows, times one of those. SLURM counts in MiB, and grants all with 0 (sbatch(1)).
#: PBS itself has no variable for memory, but RLIMIT_RSS; the last one is set by hooks of sites.
_BATCH_MEMORY: tuple[tuple[str, int, tuple[str, ...]], ...] = (
    ("SLURM_MEM_PER_NODE", MIB, ()),
    ("SLURM_MEM_PER_CPU", MIB, ("SLURM_CPUS_ON_NODE", "SLURM_CPUS_PER_TASK")),
    ("SLURM_MEM_PER_GPU", MIB, ("SLURM_GPUS_ON_NODE",)),
    ("PBS_RESC_MEM", 1, ()),
)

#: The same of processors: the variable of a job, where names are such that others may use them
#: too; and the variables, of which the first that is there counts. Of SLURM, OpenPBS and Torque,
#: Grid Engine, and LSF. The last two count the processors of all hosts of a job.
_BATCH_PROCESSORS = (
    ("", ("SLURM_CPUS_ON_NODE", "SLURM_CPUS_PER_TASK")),
    ("PBS_JOBID", ("PBS_NUM_PPN", "NCPUS")),
    ("JOB_ID", ("NSLOTS",)),
    ("", ("LSB_DJOB_NUMPROC",)),
)

_SIZE = re.compile(r"(?P<number>[0-9]+)(?P<unit>[kmgt]?)b?", re.ASCII | re.IGNORECASE)
_UNITS = {"k": KIB, "m": MIB, "g": KIB**3, "t": KIB**4}


@dataclass(frozen=True)
class Bound:
    """One bound: what it limits, to how much, where it comes from, and how much is taken."""

    limits: str
    #: Bytes, or processors.
    amount: float
    source: str
    used_bytes: int = 0

    @property
    def free(self) -> float:
        """What is left of it: bytes, or processors."""
        return max(0, self.amount - self.used_bytes)


def found() -> list[Bound]:
    """Return all bounds of this process, those of the machine first."""
    return [*memory(), *processors(), *_files()]


def memory() -> Iterator[Bound]:
    """Yield what bounds memory."""
    whole = psutil.virtual_memory()
    yield Bound(MEMORY, whole.total, "the machine", whole.total - whole.available)
    yield from _cgroup_memory()
    yield from _batch_memory()
    yield from _shell_memory()


def processors() -> Iterator[Bound]:
    """Yield what bounds processors."""
    yield Bound(PROCESSORS, os.cpu_count() or 1, "the machine")
    if hasattr(os, "sched_getaffinity"):
        yield Bound(PROCESSORS, len(os.sched_getaffinity(0)), "affinity of this process")
    for controller, name in _CPUSETS:
        for folder in _cgroups(controller)[:1]:
            with contextlib.suppress(OSError, ValueError):  # another version, or an empty list
                yield Bound(PROCESSORS, _listed((folder / name).read_text()), _shown(folder, name))
    yield from _quotas()
    for job, names in _BATCH_PROCESSORS:
        name = _first(names)
        if name and (not job or job in os.environ):
            yield Bound(PROCESSORS, _whole(os.environ[name]), name)


def _cgroup_memory() -> Iterator[Bound]:
    for controller, limit, usage, cache in _CGROUP_MEMORY:
        for folder in _cgroups(controller):
            with contextlib.suppress(OSError, ValueError):  # not there, or "max"
                amount = int((folder / limit).read_text())
                if amount < UNLIMITED_BYTES:
                    used = _used_bytes(folder, usage, cache)
                    yield Bound(MEMORY, amount, _shown(folder, limit), used)


def _used_bytes(folder: Path, usage: str, cache: str) -> int:
    """Return what a cgroup has in use and the kernel cannot simply take back."""
    used = 0
    with contextlib.suppress(OSError, ValueError):
        used = int((folder / usage).read_text())
        stat = (line.split() for line in (folder / "memory.stat").read_text().splitlines())
        used -= next((int(size) for name, size in stat if name == cache), 0)
    return max(0, used)


def _batch_memory() -> Iterator[Bound]:
    for name, unit_bytes, counts in _BATCH_MEMORY:
        each = _bytes(os.environ.get(name, ""), unit_bytes)
        times = _first(counts)
        if each and times:
            amount = each * _whole(os.environ[times])
            yield Bound(MEMORY, amount, f"{name} × {times}", _tree_bytes())
        elif each:
            yield Bound(MEMORY, each, name, _tree_bytes())


def _shell_memory() -> Iterator[Bound]:
    """Yield the limits of setrlimit(2), which batch systems set for a job."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return
    # Grid Engine sets it by h_vmem, and PBS by vmem. The kernel holds every process to it.
    address_space = resource.getrlimit(resource.RLIMIT_AS)[0]
    if address_space != resource.RLIM_INFINITY:
        used = psutil.Process().memory_info().vms
        yield Bound(MEMORY, address_space, "RLIMIT_AS (ulimit -v)", used)
    # PBS sets it by mem, and LSF by -M. Linux ignores it, but they stop a job that holds more.
    resident = resource.getrlimit(resource.RLIMIT_RSS)[0]
    if resident != resource.RLIM_INFINITY:
        yield Bound(MEMORY, resident, "RLIMIT_RSS (ulimit -m)", _tree_bytes())


def _tree_bytes() -> int:
    """Return what this process and its children hold, added up as batch systems do."""
    own, total = psutil.Process(), 0
    for process in [own, *own.children(recursive=True)]:
        with contextlib.suppress(psutil.Error):  # it has ended
            total += process.memory_info().rss
    return total


def _quotas() -> Iterator[Bound]:
    """Yield the shares of time that cgroups give, as numbers of processors."""
    for folder in _cgroups(""):
        with contextlib.suppress(OSError, ValueError):  # not there, or "max"
            quota, period = (folder / "cpu.max").read_text().split()
            yield Bound(PROCESSORS, int(quota) / int(period), _shown(folder, "cpu.max"))
    for folder in _cgroups("cpu"):
        with contextlib.suppress(OSError, ValueError):
            name = "cpu.cfs_quota_us"
            quota_us = int((folder / name).read_text())
            period_us = int((folder / "cpu.cfs_period_us").read_text())
            if quota_us > 0:  # without a limit, it is -1
                yield Bound(PROCESSORS, quota_us / period_us, _shown(folder, name))


def _files() -> Iterator[Bound]:
    """Yield the room in /dev/shm, which containers keep small, and where joblib puts arrays."""
    if shared_memory.FOLDER.is_dir():
        yield _room(FILES, shared_memory.FOLDER, str(shared_memory.FOLDER))
    wanted = os.environ.get(shared_memory.JOBLIB_FOLDER, "")
    folder = Path(wanted or shared_memory.shared_memory() or tempfile.gettempdir())
    if folder.is_dir():
        named = f"{shared_memory.JOBLIB_FOLDER}={folder}" if wanted else str(folder)
        yield _room(ARRAYS, folder, named)


def _room(limits: str, folder: Path, source: str) -> Bound:
    room = psutil.disk_usage(str(folder))
    return Bound(limits, room.total, source, room.total - room.free)


def _cgroups(controller: str) -> list[Path]:
    """Return the folders of our cgroup and of all above it; v2 has no name of a controller."""
    path = _memberships().get(controller)
    tops = [(root, ROOT / point.lstrip("/")) for root, point in _mounts(controller)]
    if path is None or not tops:
        return []
    for root, top in tops:
        if path.is_relative_to(root) and ".." not in path.parts:
            own = top / path.relative_to(root)
            if own.is_dir():
                depth = len(own.relative_to(top).parts)
                return [own, *own.parents[:depth]]
    # In a container, the path may be that of the host; what is mounted is then our own.
    return [tops[0][1]]


def _memberships() -> dict[str, PurePosixPath]:
    """Return our cgroup in each hierarchy, by controller (cgroups(7))."""
    found: dict[str, PurePosixPath] = {}
    with contextlib.suppress(OSError):
        for line in (ROOT / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            found |= dict.fromkeys(controllers.split(","), PurePosixPath(path))
    return found


def _mounts(controller: str) -> list[tuple[str, str]]:
    """Return which part of a hierarchy is mounted, and where (proc_pid_mountinfo(5))."""
    found = []
    with contextlib.suppress(OSError):
        for line in (ROOT / "proc/self/mountinfo").read_text().splitlines():
            mount, _, system = line.partition(" - ")
            kind, _, options = system.split(" ", 2)
            is_it = controller in options.split(",") if controller else kind == "cgroup2"
            if is_it and kind in {"cgroup", "cgroup2"}:
                root, point = mount.split(" ")[3:5]
                found.append((root, point))
    return found


def _shown(folder: Path, name: str) -> str:
    return f"/{(folder / name).relative_to(ROOT)}"


def _listed(text: str) -> int:
    """Count a list of processors such as ``0-3,8``; raises ValueError for an empty one."""
    ranges = [part.partition("-") for part in text.strip().split(",")]
    return sum(int(last or first) - int(first) + 1 for first, _, last in ranges)


def _first(names: tuple[str, ...]) -> str:
    """Return the first variable that has a number, or an empty name."""
    return next((name for name in names if _whole(os.environ.get(name, ""))), "")


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def _bytes(text: str, unit_bytes: int) -> int:
    """Read a size as batch systems write it, 0 for what is none."""
    match = _SIZE.fullmatch(text.strip())
    return int(match["number"]) * _UNITS.get(match["unit"].lower(), unit_bytes) if match else 0
