"""What was measured under one release: of this machine, or else of the reference machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from . import comparing, environments, forms, opening, reference, releases, store
from .errors import FigureError
from .lookup import method_named, task_named

if TYPE_CHECKING:
    from pathlib import Path

    from .data import FmriFile
    from .provenance import Provenance
    from .results import Result
    from .runs import Data
    from .store import Store

_PACKAGES = ("nilearn", "nibabel")


@dataclass(frozen=True)
class Under:
    """What was measured under one release.

    Attributes
    ----------
    name : str
        Name of the release.
    provenance : Provenance
        The machine and the versions.
    stores : dict of Store
        Results by the form of the run.
    """

    name: str
    provenance: Provenance
    stores: dict[str, Store]

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions of nilearn and nibabel."""
        return tuple(self.provenance.packages[name] for name in _PACKAGES)

    @property
    def title(self) -> str:
        """The versions in words."""
        return ", ".join(f"{n} {v}" for n, v in zip(_PACKAGES, self.versions, strict=True))

    def get(self, task_name: str, method_name: str) -> Result | None:
        """Return the result of a method, or None if it was not measured; else as `find`."""
        found = self.stores.get(task_name.partition("@")[2])
        result = found.get(task_named(task_name).name, method_name) if found else None
        if found is None or result is None:
            return None
        if not comparing.is_fresh(result, method_named(task_name, method_name), found):
            advice = reference.ADVICE if found.is_fixed else releases.ADVICE
            raise FigureError(
                f"{task_name}.{method_name} was measured under {self.title} before its code "
                f"changed. {advice}"
            )
        return result

    def find(self, task_name: str, method_name: str) -> Result:
        """Return the result of a method.

        Parameters
        ----------
        task_name : str
            Name of a task; behind an ``@`` the form of the run, if it is not the file itself.
        method_name : str
            Name of one of its methods.

        Raises
        ------
        FigureError
            It is not measured under this release, or was before its code changed.
        """
        result = self.get(task_name, method_name)
        if result is None:
            raise FigureError(f"{task_name}.{method_name} is not measured under {self.title}.")
        return result

    @property
    def data(self) -> Data:
        """The run that was measured."""
        return self.stores[""].data


def every(file: FmriFile | None = None) -> list[Under]:
    """Open what was measured under several releases.

    Parameters
    ----------
    file : FmriFile, optional
        By default what `benchmarks.opening.chosen` finds.

    Returns
    -------
    list of Under
        Oldest first: of this file and machine; where there is none, of the reference machine.

    Raises
    ------
    FigureError
        There is neither.
    """
    file = file or opening.chosen()
    if not reference.holds(file):
        found = measured_here(file)
        if len(found) > 1:
            return found
    found = _of_reference()
    if not found:
        raise FigureError(f"No releases were measured. {releases.ADVICE}")
    return found


def measured_here(file: FmriFile) -> list[Under]:
    """Return what was measured of a file under each release, oldest first.

    Of several machines that share the folder, it is the one that measured last. A release under
    which nothing was measured is left out.
    """
    # A short run is its own short form: one results file is about both.
    names = {"", "short", *releases.TASKS.values()}
    made = {name: forms.find(file, name) for name in names}
    digests = {name: form.data.sha256 for name, form in made.items() if form}
    found = []
    for release in environments.RELEASES:
        stores: dict[str, Store] = {}
        for path in sorted(release.results.glob("*.json"), key=_changed):
            opened = store.at(path)
            stores |= {n: opened for n, sha256 in digests.items() if sha256 == opened.data.sha256}
        if "" in stores:
            found.append(Under(release.name, stores[""].provenance, stores))
    last = max(found, key=_measured_at, default=None)
    return [under for under in found if last and _machine(under) == _machine(last)]


def _of_reference() -> list[Under]:
    found = []
    for release in environments.RELEASES:
        paths = sorted((reference.releases() / release.name).glob("*.json"))
        stores: dict[str, Store] = {
            path.stem.partition("@")[2]: reference.opened(path) for path in paths
        }
        if stores:
            found.append(Under(release.name, stores[""].provenance, stores))
    return found


def _changed(path: Path) -> float:
    return path.stat().st_mtime


def _machine(under: Under) -> str:
    return replace(under.provenance, packages={}).digest


def _measured_at(under: Under) -> str:
    return max((r.measured_at for s in under.stores.values() for r in s.all()), default="")
