"""The results that come with the project: of one machine, for those that cannot measure.

They are results files as a build writes them, about one file: ``run.json``, and ``run@short.json``
and so on for its variants; and a folder for the releases. With ``MEASURE=0`` a build shows them
and measures nothing. What is shown of them says so: the name of the processor carries the label.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks import files
from benchmarks.errors import StoreError
from benchmarks.files import written_whole

from .store import D, Store, encoded, read, without_series

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from .result import Result

LABEL = "Reference machine"
SAID = "This build measured nothing."
ADVICE = "Measure them again with: make reference."

#: Names of files, besides those from `name_of`: what was measured on small files.
SIZES = "sizes"
RELEASES = "releases"
_RUN = "run"

#: Memory over time is drawn of these variants alone; it is most of what is stored.
_DRAWN = (_RUN, f"{_RUN}@short")


class Reference(Store[D]):
    """A results file of the project: it is read, and never written to by a measurement.

    Parameters
    ----------
    path : Path
        The file.
    kind : type
        The record of what was measured on; its path is a name beside the results.

    Raises
    ------
    StoreError
        It cannot be read.
    """

    is_fixed = True

    def __init__(self, path: Path, kind: type[D]) -> None:
        provenance, data, _ = read(path, kind)
        labelled = replace(provenance, cpu=f"{LABEL} ({provenance.cpu})")
        super().__init__(path.parent, data, labelled, path)

    def put(self, *results: Result, dropped: Iterable[Result] = ()) -> None:  # noqa: ARG002
        """Refuse to change it."""
        raise StoreError(f"{self.path} belongs to the project. {ADVICE}")


def name_of(variant: str, release: str = "") -> str:
    """Return the name of the file with the results on a variant, under a release."""
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
    """Replace reference results: those of the site, or those of the releases.

    Parameters
    ----------
    stores : mapping of Store
        By the name of a file: from `name_of`, and `SIZES`; or all from `name_of` with a release.

    Raises
    ------
    StoreError
        They cannot be written.
    """
    pattern = f"{RELEASES}/*/*.json" if next(iter(stores)).startswith(RELEASES) else "*.json"
    try:
        for name, found in stores.items():
            results = [_lean(result, drawn=name in _DRAWN) for result in found.all()]
            with written_whole(path_of(name)) as stream:
                stream.write(encoded(found.provenance, found.data, results))
        for path in set(files.REFERENCE.glob(pattern)) - set(map(path_of, stores)):
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
