"""On what machine, with which versions, from which commit: where figures come from."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import zlib
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path

import psutil

from benchmarks.files import PROJECT
from benchmarks.gauge import machine
from benchmarks.gauge.shared_memory import shared_memory
from benchmarks.units import GIB, format_bytes

#: Packages that methods rest on, nilearn's own among them.
BENEATH = ("numpy", "scipy", "pandas", "scikit-learn", "joblib", "isal", "indexed_gzip")

#: Packages whose release can change a figure, as far as they are installed.
PACKAGES = ("nibabel", "nilearn", *BENEATH, "dask", "distributed")

#: How the system of a virtual machine ends.
VIRTUAL = "virtual machine"

#: Environment variables that set how many threads numerical libraries use.
THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Provenance:
    """What a figure depends on besides the method and the file."""

    cpu: str
    #: That this process may use, by the tightest of its bounds.
    cores: float
    #: Of the machine, or of what bounds this process to less.
    memory_bytes: int
    system: str
    python: str
    packages: dict[str, str] = field(hash=False)
    zlib: str
    threads: str
    #: Its type, where the data file is.
    file_system: str
    #: Where joblib puts large ones: in memory or on a disk.
    arrays_for_workers: str
    #: How memory was read; figures of different gauges are not comparable.
    gauge: str

    @property
    def digest(self) -> str:
        """Digest of all that must be equal for figures to stand in one table."""
        # A machine's total shrinks by some MiB from one boot to the next.
        identity = asdict(self) | {"memory_bytes": round(self.memory_bytes / GIB)}
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    def rows(self) -> list[tuple[str, str]]:
        """Return the lines of the provenance block: what, and its value."""
        return [
            ("Processor", f"{self.cpu}, cores in use: {self.cores:g}"),
            ("Memory", format_bytes(self.memory_bytes)),
            ("System", self.system),
            ("File system", self.file_system),
            ("Python", f"{self.python}, {self.zlib}"),
            ("Packages", ", ".join(f"{name} {v}" for name, v in self.packages.items())),
            ("Threads", self.threads),
            ("Arrays for workers", self.arrays_for_workers),
            ("Memory gauge", self.gauge),
        ]


def here(gauge: str, path: Path) -> Provenance:
    """Describe this machine and environment, with the memory gauge and the data file in use."""
    return Provenance(
        cpu=_cpu_model(),
        cores=machine.cores(),
        memory_bytes=machine.total_bytes(),
        system=f"{platform.system()} {platform.release()}{_virtual()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        packages=installed_packages(),
        zlib=f"zlib {zlib.ZLIB_RUNTIME_VERSION}",
        threads=_threads(),
        file_system=_file_system(path),
        arrays_for_workers="in memory" if shared_memory() else "on a disk",
        gauge=gauge,
    )


@functools.cache
def installed_packages() -> dict[str, str]:
    """Return the versions of those `PACKAGES` that are installed."""
    versions = {}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def _virtual() -> str:
    with contextlib.suppress(OSError):
        if re.search(r"^flags\b.*\bhypervisor\b", Path("/proc/cpuinfo").read_text(), re.MULTILINE):
            return f", {VIRTUAL}"
    return ""


def _threads() -> str:
    settings = [f"{name}={os.environ[name]}" for name in THREAD_SETTINGS if name in os.environ]
    return ", ".join(settings) or "as the libraries choose"


def _file_system(path: Path) -> str:
    """Return the type of the file system that a file is on: of its longest mount point."""
    mounts = [
        (part.mountpoint, part.fstype)
        for part in psutil.disk_partitions(all=True)
        if path.resolve().is_relative_to(part.mountpoint)
    ]
    return max(mounts, key=lambda mount: len(mount[0]))[1] if mounts else "unknown"


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


@functools.cache
def commit() -> str:
    """Return the project's commit, with ``+`` where the tree has changes; empty without git."""
    git = shutil.which("git")
    if git is None or not (PROJECT / ".git").exists():
        return ""

    def ask(*words: str) -> str:
        answer = subprocess.run(
            [git, "-C", str(PROJECT), *words], capture_output=True, text=True, check=False
        )
        return answer.stdout.strip()

    name = ask("rev-parse", "--short=10", "--verify", "HEAD")
    return f"{name}+" if name and ask("status", "--porcelain") else name
