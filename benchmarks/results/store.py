"""Measured results on disk: one JSON file for each pair of data file and provenance.

Results of different machines, versions or data files never meet in one file, so nothing
can merge them by accident. What an interpreter gave is written at once; a file is replaced
whole or not at all.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import cattrs
from cattrs.gen import make_dict_unstructure_fn, override

from benchmarks.errors import StoreError
from benchmarks.files import written_whole
from benchmarks.gauge.readings import Series

from .dataset import Dataset
from .provenance import Provenance
from .result import Result, Word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

if sys.platform != "win32":
    import fcntl

SCHEMA = 2

_ADVICE = "Move it away and measure again, or put back a sound copy."

#: What a failed attempt to read JSON into a dataclass raises.
UNREADABLE = (AttributeError, KeyError, TypeError, ValueError, cattrs.ForbiddenExtraKeysError)

Key = tuple[str, str, str]
_Identity = tuple[int, int, int]
D = TypeVar("D", bound=Dataset)


def _converter() -> cattrs.Converter:
    """Return what writes dataclasses without defaults, and refuses values of other types."""
    found = cattrs.Converter(
        omit_if_default=True, forbid_extra_keys=True, detailed_validation=False
    )
    for wanted, kinds in ((str, str), (int, int), (float, (int, float))):
        found.register_structure_hook(wanted, _strict(kinds))
    # An enumeration of texts is more than a text.
    found.register_structure_hook(Word, lambda value, kind: kind(value))
    # What can be worked out from others is not stored.
    omitted = override(omit=True)
    written = make_dict_unstructure_fn(
        Result, found, _cattrs_omit_if_default=True, least_seconds=omitted, least_bytes=omitted
    )
    found.register_unstructure_hook(Result, written)
    return found


def _strict(kinds: Any) -> Any:
    def checked(value: Any, wanted: Any) -> Any:
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise TypeError(f"{value!r:.40} stands where {wanted.__name__} is expected")
        return value

    return checked


CONVERTER = _converter()


class Store(Generic[D]):
    """The results of one data file under one provenance.

    With ``is_reference``, they are shown as they are, and nothing is added to them.

    Parameters
    ----------
    folder : Path
        Where results files are; made when the first result is put.
    data : Dataset
        The file that is measured on.
    provenance : Provenance
        The machine and the versions.
    path : Path, optional
        The file itself; by default its name follows from data and provenance.

    There may be a results file that cannot be read. It is left as it is, and what looks at the
    results raises StoreError.
    """

    is_reference = False

    def __init__(
        self, folder: Path, data: D, provenance: Provenance, path: Path | None = None
    ) -> None:
        self.path = path or folder / f"{data.label}-{provenance.digest[:8]}.json"
        self.data = data
        self.provenance = provenance
        #: The file as this store wrote it: as long as nobody replaces it, it is not read again.
        self._known: _Identity | None = None
        #: What was written of each result, so that the next time only what is new is encoded.
        self._lines: dict[Key, tuple[Result, str]] = {}

    def get(self, task: str, method: str, cache: str = "warm") -> Result | None:
        """Return the stored result of a method, or None."""
        return self._results.get((task, method, cache))

    def fresh(
        self,
        task: str,
        method: str,
        source_sha256: str,
        cache: str = "warm",
        *,
        local: bool = False,
    ) -> Result | None:
        """Return the stored result of a method if it is of the code as it is now, or None.

        This is the one rule for what has to be measured again.

        Parameters
        ----------
        task, method : str
            Names.
        source_sha256 : str
            Digest of all that decides what is measured, as it is now.
        cache : {"warm", "cold"}
            State of the page cache before each run.
        local : bool
            Whether the digest also depends on this machine, such as on a program's version.
            Results that come with the project then count, whatever their digest.
        """
        result = self.get(task, method, cache)
        if result is None or (local and self.is_reference):
            return result
        return result if result.source_sha256 == source_sha256 else None

    def all(self) -> list[Result]:
        """Return every stored result."""
        return list(self._results.values())

    def put(self, *results: Result, dropped: Iterable[Result] = ()) -> None:
        """Add or replace results, drop others, and write the file.

        Raises
        ------
        StoreError
            The file cannot be written; what it held before is still there.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)  # for the lock
            with locked(self.path.parent):
                # Another process may have put its results since this one last read.
                if self._known is None or self._known != _identity(self.path):
                    self._results = self._read()
                self._results |= {key_of(result): result for result in results}
                for result in dropped:
                    self._results.pop(key_of(result), None)
                self._known = None
                with written_whole(self.path) as file:
                    file.write(_content_of(self.provenance, self.data, self._encoded()))
                self._known = _identity(self.path)
        except OSError as error:
            raise StoreError(
                f"The results cannot be written to {self.path}: {error.strerror or error}. "
                "Those stored before are unharmed; make room or check the permissions, "
                "and run the same command again."
            ) from error

    @functools.cached_property
    def _results(self) -> dict[Key, Result]:
        # A build that only compares digests does not wait for this.
        return self._read()

    def _encoded(self) -> list[str]:
        for key, result in self._results.items():
            if key not in self._lines or self._lines[key][0] is not result:
                self._lines[key] = (result, _line(result))
        return [self._lines[key][1] for key in sorted(self._results)]

    def _read(self) -> dict[Key, Result]:
        if _identity(self.path) is None:
            return {}
        return {key_of(result): result for result in read(self.path, type(self.data))[2]}


def at(path: Path, kind: type[D]) -> Store[D]:
    """Open the results of a file by its path; raises StoreError if it cannot be read."""
    provenance, data, _ = read(path, kind)
    return Store(path.parent, data, provenance, path)


def encoded(provenance: Provenance, data: Dataset, results: Iterable[Result]) -> bytes:
    """Return the content of a results file."""
    return _content_of(provenance, data, map(_line, sorted(results, key=key_of)))


def _line(result: Result) -> str:
    return json.dumps(CONVERTER.unstructure(result))


def _content_of(provenance: Provenance, data: Dataset, entries: Iterable[str]) -> bytes:
    head = {"schema": SCHEMA, "provenance": asdict(provenance), "data": data.entry()}
    parts = [f'"{name}": {json.dumps(value)}' for name, value in head.items()]
    # A line for each result: short files, and differences that can be read.
    lines = ",\n".join([*parts, '"results": [\n' + ",\n".join(entries) + "\n]"])
    return f"{{\n{lines}\n}}\n".encode()


def read(path: Path, kind: type[D]) -> tuple[Provenance, D, list[Result]]:
    """Read a results file; raises StoreError if it is no JSON, of another schema, or damaged."""
    content = _content(path)
    try:
        provenance = CONVERTER.structure(content["provenance"], Provenance)
        data = kind.from_entry(content["data"], path.parent)
        return provenance, data, CONVERTER.structure(content["results"], list[Result])
    except UNREADABLE as error:
        raise StoreError(f"{path} is damaged: {error}. {_ADVICE}") from error


def entries(path: Path) -> list[dict[str, Any]]:
    """Return the results of a file as JSON has them, none without a file; raises as `read`."""
    content = _content(path) if path.exists() else {"results": []}
    try:
        return [dict(result) for result in content["results"]]
    except UNREADABLE as error:
        raise StoreError(f"{path} is damaged: {error}. {_ADVICE}") from error


def _content(path: Path) -> dict[str, Any]:
    """Return what a file holds, if it is of a schema that can be read."""
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        schema = content["schema"]
    except FileNotFoundError as error:
        raise StoreError(f"There is no results file {path}. Check the path.") from error
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}. Check the path.") from error
    except (KeyError, TypeError) as error:
        raise StoreError(f"{path} is no results file of this project. Check the path.") from error
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path} is not a readable results file: {error}. {_ADVICE}") from error
    if schema != SCHEMA:
        raise StoreError(
            f"{path} has schema {schema!r}, and this version reads schema {SCHEMA}. "
            "It was written by another version of this project; use that one, or measure again."
        )
    return content


def without_series(result: Result) -> Result:
    """Return a result without memory over time, which is most of what is stored.

    How many processes there were at most is kept: whether there were workers is asked for.
    """
    runs = tuple(
        replace(run, series=Series(processes=(max(run.series.processes),)))
        if run.series.processes
        else run
        for run in result.memory_runs
    )
    return replace(result, memory_runs=runs)


def _identity(path: Path) -> _Identity | None:
    """Return what tells a file from another under its name; None without one."""
    with contextlib.suppress(FileNotFoundError):
        found = path.stat()
        return found.st_ino, found.st_mtime_ns, found.st_size
    return None


def key_of(result: Result) -> Key:
    """Return what tells a result from others in its file."""
    return result.task, result.method, result.cache


@contextlib.contextmanager
def locked(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Keep others from writing into a folder; raises BlockingIOError if one is not waited for."""
    if sys.platform == "win32":  # no flock; a lock file would outlive a crash
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)
