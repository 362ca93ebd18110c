"""The results that come with the project: of one machine, for those that cannot measure.

They are results files as a build writes them, about one run: ``run.json``, and ``run@short.json``
and so on for its other forms; ``sizes.json`` for the small files; and a folder for the releases.
With ``MEASURE=0`` a build shows them and measures nothing. What is shown of them says so: the name
of the processor carries the label.
"""

from __future__ import annotations

import functools
import html
from dataclasses import replace
from typing import TYPE_CHECKING

from . import folders, store
from .data import FmriFile
from .errors import FigureError, StoreError
from .files import written_whole
from .store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from .results import Result
    from .runs import Data

LABEL = "Reference machine"
SAID = "This build measured nothing."
ADVICE = "Measure them again with: make reference."

SIZES = "sizes"
RELEASES = "releases"
_RUN = "run"

#: Memory over time is drawn of these forms alone; it is most of what is stored.
_DRAWN = (_RUN, f"{_RUN}@short")


class Reference(Store):
    """A results file of the project: it is read, and never written to by a measurement.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    StoreError
        It cannot be read.
    """

    is_fixed = True

    def __init__(self, path: Path) -> None:
        provenance, data, _ = store.read(path)
        labelled = replace(provenance, cpu=f"{LABEL} ({provenance.cpu})")
        super().__init__(path.parent, data, labelled, path)

    def put(self, *results: Result, dropped: Iterable[Result] = ()) -> None:  # noqa: ARG002
        """Refuse to change it."""
        raise StoreError(f"{self.path} belongs to the project. {ADVICE}")


def _path(name: str) -> Path:
    return folders.REFERENCE / "reference" / f"{name}.json"


def name_of(form: str, release: str = "") -> str:
    """Return the name of the file with the results on a form of the run, under a release."""
    name = f"{_RUN}@{form}" if form else _RUN
    return f"{RELEASES}/{release}/{name}" if release else name


def file(form: str = "") -> FmriFile | None:
    """Return what was measured on the reference machine, or None if that form was not.

    The file itself need not be here: its path is a name, beside the results.

    Parameters
    ----------
    form : str
        The form of the run; empty for the run itself.
    """
    path = _path(name_of(form))
    if not path.exists():
        return None
    data = opened(path).data
    return FmriFile(path.parent / data.name, data)


def run() -> FmriFile:
    """Return the run that was measured on the reference machine.

    Raises
    ------
    FigureError
        There are no reference results.
    """
    found = file()
    if found is None:
        raise FigureError(f"There are no reference results. {ADVICE}")
    return found


def holds(file: FmriFile) -> bool:
    """Tell whether a file is one that was measured on the reference machine."""
    return file.path.parent == _path(_RUN).parent


@functools.cache
def opened(path: Path) -> Reference:
    """Open a results file of the project."""
    return Reference(path)


def store_of(data: Data) -> Reference:
    """Open the results of a file from `file`."""
    paths = sorted(_path(_RUN).parent.glob(f"{_RUN}*.json"))
    return next(opened(path) for path in paths if opened(path).data.sha256 == data.sha256)


def sizes() -> Reference:
    """Open what was measured on small files of the run."""
    return opened(_path(SIZES))


def releases() -> Path:
    """Return the folder with a folder for each release."""
    return _path(RELEASES).with_suffix("")


def banner() -> str:
    """Return what every page of a site says that shows these results, as HTML."""
    found = store_of(run().data)
    last = max(result.measured_at for result in found.all())[:10]
    return (
        f"{SAID} All figures are of another machine: "
        f"{html.escape(found.provenance.cpu)}, measured until {last}. “Here”, “this machine” and "
        "“this build” mean that one."
    )


def write(stores: Mapping[str, Store]) -> None:
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
    folder = _path(_RUN).parent
    pattern = f"{RELEASES}/*/*.json" if next(iter(stores)).startswith(RELEASES) else "*.json"
    try:
        for name, found in stores.items():
            results = [_lean(result, drawn=name in _DRAWN) for result in found.all()]
            _path(name).parent.mkdir(parents=True, exist_ok=True)
            with written_whole(_path(name)) as stream:
                stream.write(store.encoded(found.provenance, found.data, results))
        for path in set(folder.glob(pattern)) - set(map(_path, stores)):
            path.unlink()
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror or error}.") from error


def _lean(result: Result, *, drawn: bool) -> Result:
    """Return a result without what no page shows: sampled voxels, and memory over time."""
    returned = result.returned
    if returned and not returned.text:
        result = replace(result, returned=replace(returned, sums=(), sample=()))
    return result if drawn else store.without_series(result)
