"""The results that come with the project, of one machine: builds with ``MEASURE=0`` show them."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks import files
from benchmarks.errors import StoreError
from benchmarks.files import written_whole

from .store import D, Store, encoded, key_of, read, without_series

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from .result import Result

LABEL = "Reference machine"
SAID = "This build measured nothing."
ADVICE = files.advice(
    "Measure them again with: make reference.", "Install the package again, or without MEASURE=0."
)

#: Names of files, besides those from `name_of`: what was measured on small files.
SIZES = "sizes"
RELEASES = "releases"
_RUN = "run"

#: Memory over time is drawn of these variants alone; it is most of what is stored.
_DRAWN = (_RUN, f"{_RUN}@short")


class Reference(Store[D]):
    """A results file of the project, never measured into; raises StoreError if unreadable."""

    is_reference = True

    def __init__(self, path: Path, kind: type[D]) -> None:
        provenance, data, results = read(path, kind)
        labelled = replace(provenance, cpu=f"{LABEL} ({provenance.cpu})")
        super().__init__(path.parent, data, labelled, path)
        self._results = {key_of(result): result for result in results}

    def put(self, *results: Result, dropped: Iterable[Result] = ()) -> None:  # noqa: ARG002
        """Refuse to change it."""
        raise StoreError(f"{self.path} belongs to the project. {ADVICE}")


def unlabelled(cpu: str) -> str:
    """Return the processor of a machine without what tells the reference machine."""
    return cpu.removeprefix(f"{LABEL} (").removesuffix(")") if cpu.startswith(LABEL) else cpu


def name_of(variant: str, release: str = "") -> str:
    """Return the name of the file of a variant, such as ``run@short``, under a release."""
    name = f"{_RUN}@{variant}" if variant else _RUN
    return f"{RELEASES}/{release}/{name}" if release else name


def path_of(name: str) -> Path:
    """Return where the file of a name is."""
    return files.REFERENCE / f"{name}.json"


@functools.cache
def opened(path: Path, kind: type[D]) -> Reference[D]:
    """Open a results file of the project."""
    return Reference(path, kind)


def write(stores: Mapping[str, Store[D]]) -> None:
    """Replace the results of the site, or of releases, by file name; may raise StoreError."""
    pattern = f"{RELEASES}/*/*.json" if next(iter(stores)).startswith(RELEASES) else "*.json"
    try:
        for name, found in stores.items():
            results = [_lean(result, drawn=name in _DRAWN) for result in found.all()]
            with written_whole(path_of(name)) as stream:
                stream.write(encoded(found.provenance, found.data, results))
        # Small files are measured on their own, and stay until they are measured again.
        kept = set(map(path_of, [*stores, SIZES]))
        for path in set(files.REFERENCE.glob(pattern)) - kept:
            path.unlink()
    except OSError as error:
        reason = error.strerror or error
        raise StoreError(f"{files.REFERENCE} cannot be written: {reason}.") from error


def _lean(result: Result, *, drawn: bool) -> Result:
    """Return a result without what no page shows: sampled voxels, and memory over time."""
    returned = result.returned
    if returned and not returned.text:
        result = replace(result, returned=replace(returned, sums=(), sample=()))
    return result if drawn else without_series(result)
