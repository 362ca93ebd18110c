"""The releases that are compared, and where the environment that nox makes for each is."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from benchmarks import files
from benchmarks.files import PROJECT
from benchmarks.results.provenance import BENEATH

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NEWEST = "newest"

#: Where nox keeps environments.
NOX = PROJECT / ".nox"


@dataclass(frozen=True)
class Release:
    """A release of nilearn with one of nibabel, empty for the newest; no points in the name."""

    nilearn: str
    nibabel: str
    name: str

    @property
    def requirements(self) -> list[str]:
        """What pip is to install."""
        pins = {"nilearn": self.nilearn, "nibabel": self.nibabel}
        return [f"{package}=={pin}" if pin else package for package, pin in pins.items()]

    @property
    def results(self) -> Path:
        """The folder of the results under it."""
        return releases_folder() / self.name

    @property
    def mark(self) -> Path:
        """The file that says where its Python is; written when its environment is ready."""
        return NOX / "ready" / f"{self.name}.json"

    def interpreter(self) -> Path | None:
        """Return the Python of its environment, or None while that is not ready."""
        if not self.mark.exists():
            return None
        python = Path(json.loads(self.mark.read_bytes())["python"])
        return python if python.exists() else None

    @property
    def is_newest(self) -> bool:
        """Whether it stands for whatever is the newest."""
        return not self.nilearn

    def is_ready(self) -> bool:
        """Tell whether its environment is what would be made now."""
        if self.interpreter() is None:
            return False
        made_of: str = json.loads(self.mark.read_bytes())["made_of"]
        return made_of == self.made_of()

    def write_mark(self, python: Path) -> None:
        """Say that its environment is ready."""
        self.mark.parent.mkdir(parents=True, exist_ok=True)
        self.mark.write_text(json.dumps({"python": str(python), "made_of": self.made_of()}))

    def made_of(self) -> str:
        """Return the digest of all that its environment is made of."""
        project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
        parts = [*project["dependencies"], *self.requirements]
        # What is the newest is asked anew each day.
        parts += [str(dt.datetime.now(dt.timezone.utc).date())] if self.is_newest else shared()
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _pinned(nilearn: str, nibabel: str) -> Release:
    return Release(nilearn, nibabel, f"nilearn-{nilearn}-nibabel-{nibabel}".replace(".", "-"))


#: Oldest first, each nilearn with a nibabel of its time. The newest come last. While they are the
#: same as the ones before, these are measured twice, and a change between the two would be false.
RELEASES = (
    _pinned("0.11.1", "5.3.3"),
    _pinned("0.12.1", "5.3.3"),
    _pinned("0.13.0", "5.3.3"),
    _pinned("0.13.1", "5.3.3"),
    _pinned("0.14.1", "5.4.2"),
    Release("", "", NEWEST),
)


def releases_folder() -> Path:
    """Return the folder with a folder for each release that was measured here."""
    return files.results_folder() / "releases"


def shared() -> list[str]:
    """Return what is the same in all environments, as pip writes it."""
    return [f"{name}=={metadata.version(name)}" for name in BENEATH]
