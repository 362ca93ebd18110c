"""On what machine, with which versions, from which commit: where figures come from."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import platform
import shutil
import subprocess
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path

import psutil

from .folders import PROJECT
from .units import GIB, format_bytes

#: Packages whose release can change a figure. indexed_gzip counts although nothing here
#: imports it: nibabel reads compressed files through it wherever it is installed.
PACKAGES = ("nibabel", "nilearn", "numpy", "scipy", "joblib", "indexed_gzip")


@dataclass(frozen=True)
class Provenance:
    """What a figure depends on besides the method and the file.

    Attributes
    ----------
    cpu : str
        Model name of the processor.
    cores : int
        Cores that this process may use.
    memory_bytes : int
        Physical memory of the machine.
    system : str
        Operating system and kernel release.
    python : str
        Python implementation and version.
    packages : dict of str
        Versions of the installed `PACKAGES`.
    gauge : str
        How memory was read; figures of different gauges are not comparable.
    """

    cpu: str
    cores: int
    memory_bytes: int
    system: str
    python: str
    packages: dict[str, str] = field(hash=False)
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
            ("Processor", f"{self.cpu}, cores in use: {self.cores}"),
            ("Memory", format_bytes(self.memory_bytes)),
            ("System", self.system),
            ("Python", self.python),
            ("Packages", ", ".join(f"{name} {v}" for name, v in self.packages.items())),
            ("Memory gauge", self.gauge),
        ]


def here(gauge: str) -> Provenance:
    """Describe this machine and this environment.

    Parameters
    ----------
    gauge : str
        Name of the memory gauge in use.
    """
    return Provenance(
        cpu=_cpu_model(),
        cores=_cores(),
        memory_bytes=psutil.virtual_memory().total,
        system=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        packages=installed_packages(),
        gauge=gauge,
    )


def installed_packages() -> dict[str, str]:
    """Return the versions of those `PACKAGES` that are installed."""
    versions = {}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
