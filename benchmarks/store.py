"""Measured results on disk: one JSON file for each pair of data file and provenance.

History of the schema
---------------------
1 : first.
2 : fields that have their default value are left out; slope and intercept of the data. Files of
    schema 1 are read as well.

Results of different machines, versions or data files never meet in one file, so nothing
can merge them by accident. Each finished run is written at once; a file is replaced whole
or not at all.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from dataclasses import asdict, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from .errors import StoreError
from .files import written_whole
from .provenance import Provenance
from .results import Result
from .runs import Data, MemoryRun, Returned, Series, TimeRun

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

if sys.platform != "win32":
    import fcntl

SCHEMA = 2
_READABLE = (1, SCHEMA)

Key = tuple[str, str, str]


class Store:
    """The results of one data file under one provenance.

    With ``is_fixed``, they are shown as they are, and nothing is added to them.

    Parameters
    ----------
    folder : Path
        Where results files are; made when the first result is put.
    data : Data
        The file that is measured on.
    provenance : Provenance
        The machine and the versions.
    path : Path, optional
        The file itself; by default its name follows from data and provenance.

    Raises
    ------
    StoreError
        There is a results file and it cannot be read. It is left as it is.
    """

    is_fixed = False

    def __init__(
        self, folder: Path, data: Data, provenance: Provenance, path: Path | None = None
    ) -> None:
        stem = re.sub(r"[^\w.-]", "_", data.name.split(".")[0])
        name = f"{stem}-{data.compression}-{data.sha256[:8]}-{provenance.digest[:8]}.json"
        self.path = path or folder / name
        self.data = data
        self.provenance = provenance
        self._results = self._read()

    def get(self, task: str, method: str, cache: str = "warm") -> Result | None:
        """Return the stored result of a method, or None."""
        return self._results.get((task, method, cache))

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
                self._results = self._read()
                self._results |= {_key(result): result for result in results}
                for result in dropped:
                    self._results.pop(_key(result), None)
                with written_whole(self.path) as file:
                    file.write(encoded(self.provenance, self.data, self.all()))
        except OSError as error:
            raise StoreError(
                f"The results cannot be written to {self.path}: {error.strerror or error}. "
                "Those stored before are unharmed; make room or check the permissions, "
                "and run the same command again."
            ) from error

    def _read(self) -> dict[Key, Result]:
        if not self.path.exists():
            return {}
        return {_key(result): result for result in read(self.path)[2]}


def at(path: Path) -> Store:
    """Open the results of a file by its path; raises StoreError if it cannot be read."""
    provenance, data, _ = read(path)
    return Store(path.parent, data, provenance, path)


def encoded(provenance: Provenance, data: Data, results: Iterable[Result]) -> bytes:
    """Return the content of a results file."""
    entries = (json.dumps(_entry(result)) for result in sorted(results, key=_key))
    head = {"schema": SCHEMA, "provenance": asdict(provenance), "data": asdict(data)}
    parts = [f'"{name}": {json.dumps(value)}' for name, value in head.items()]
    # A line for each result: short files, and differences that can be read.
    lines = ",\n".join([*parts, '"results": [\n' + ",\n".join(entries) + "\n]"])
    return f"{{\n{lines}\n}}\n".encode()


def read(path: Path) -> tuple[Provenance, Data, list[Result]]:
    """Read a results file.

    Raises
    ------
    StoreError
        The file is not JSON, not of this schema, or has parts missing.
    """
    advice = "Move it away and measure again, or put back a sound copy."
    try:
        content = json.loads(path.read_bytes())
        schema = content["schema"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoreError(f"{path} is not a readable results file: {error}. {advice}") from error
    if schema not in _READABLE:
        raise StoreError(
            f"{path} has schema {schema!r}, and this version reads schema {SCHEMA}. "
            "It was written by another version of this project; use that one, or measure again."
        )
    try:
        data = content["data"] | {"shape": tuple(content["data"]["shape"])}
        _refuse_others([data["name"], data["dtype"], data["compression"], data["sha256"]], str)
        _refuse_others([*data["shape"], data["raw_bytes"], data["file_bytes"]], int)
        results = [_decoded(entry) for entry in content["results"]]
        return Provenance(**content["provenance"]), Data(**data), results
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{path} is damaged: {error}. {advice}") from error


def without_series(result: Result) -> Result:
    """Return a result without memory over time, which is most of what is stored."""
    runs = tuple(replace(run, series=Series()) for run in result.memory_runs)
    return replace(result, memory_runs=runs)


def _entry(result: Result) -> dict[str, Any]:
    """Return a result as it is stored: what can be worked out from others is left out."""
    entry: dict[str, Any] = _sparse(replace(result, limit_seconds=None, limit_bytes=None))
    return entry


def _sparse(value: Any) -> Any:
    """Return a dataclass as JSON can hold it, without the fields that have their default value."""
    if is_dataclass(value):
        given = ((field, getattr(value, field.name)) for field in fields(value))
        return {field.name: _sparse(v) for field, v in given if v != field.default}
    return [_sparse(item) for item in value] if isinstance(value, tuple) else value


def _decoded(entry: dict[str, Any]) -> Result:
    returned = entry.get("returned")
    names = ("task", "method", "source_sha256", "status", "message")
    _refuse_others([entry[name] for name in names if name in entry], str)
    time_runs, memory_runs = entry.get("time_runs", ()), entry.get("memory_runs", ())
    for run in [*time_runs, *memory_runs]:
        _refuse_others([value for name, value in run.items() if name != "series"], int, float)
    return Result(
        **entry
        | {
            "time_runs": tuple(TimeRun(**run) for run in time_runs),
            "memory_runs": tuple(MemoryRun.from_dict(run) for run in memory_runs),
            "returned": returned and Returned.from_dict(returned),
        }
    )


def _refuse_others(values: list[Any], *kinds: type) -> None:
    """Refuse values of other types than a results file has in their place."""
    for value in values:
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise TypeError(f"{value!r:.40} stands where {kinds[0].__name__} is expected")


def _key(result: Result) -> Key:
    return result.task, result.method, result.cache


@contextlib.contextmanager
def locked(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Keep other processes of this package from writing into the folder meanwhile.

    Parameters
    ----------
    folder : Path
        It has to be there.
    wait : bool
        Whether to wait until another process is done.

    Raises
    ------
    BlockingIOError
        Another process is writing, and it is not waited for.
    """
    if sys.platform == "win32":  # no flock; a lock file would outlive a crash
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)
