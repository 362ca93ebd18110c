"""What readers hand in of their machines, and what of it is refused.

A submission is one JSON file of one machine. It has the results on a standard file, so that
machines compare, and on a file of the reader beside it; and the gauge's check of itself. It names
no path, no file and no person. Who reads one refuses what no measurement gives.

History of the schema
---------------------
1 : first.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from packaging.version import Version

from benchmarks import files
from benchmarks.errors import StoreError, SubmissionError
from benchmarks.images.generate import VOLUMES
from benchmarks.images.image import Image
from benchmarks.prediction import roofline
from benchmarks.results.provenance import Provenance
from benchmarks.results.result import Result
from benchmarks.results.store import CONVERTER, UNREADABLE, Store, key_of, without_series
from benchmarks.runner import self_check
from benchmarks.tasks import chapter
from benchmarks.tasks.task import task_named
from benchmarks.units import GIB, MIB, format_bytes, significant

from . import changes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from benchmarks.gauge.readings import MemoryRun, TimeRun

SCHEMA = 1

#: What results are about: the file that every machine measures on, or one of the reader.
STANDARD, OWN = "example4d", "own"
_STANDARD_SHAPE = (128, 96, 24)

ADVICE = "Measure it again with: fmri-bench submit."

#: More than any machine gives. An honest file has a tenth of each.
MOST_FILE_BYTES = 4 * MIB
MOST_RUNS = 100
MOST_CALLS = 1000
MOST_SECONDS = 24 * 3600
MOST_TEXT = 200

#: All runs of a method below so much of the least time, by the best runs of the rates: no machine
#: does that with a compressed file, which one thread has to unpack (see the page on measuring).
POSSIBLE_FROM = 0.8

#: Only times are judged whose least is longer: below, a rate tells of the call, not of its bytes.
JUDGED_FROM_SECONDS = 1e-3

#: What no page has to escape. A path would need a slash.
_PLAIN = re.compile(r"[\w .,:;()+*=@%-]*", re.ASCII)

_FIELDS = {"schema", "machine", "provenance", "files"}
PACKAGES = ("nilearn", "nibabel")


@dataclass(frozen=True)
class Machine:
    """All that a machine has, of which a process may be granted less."""

    cores: int
    memory_bytes: int

    def title(self, provenance: Provenance) -> str:
        """Name a machine by what it is, and by what of it could be used."""
        cores, memory = f"{provenance.cores:g}", _gib(provenance.memory_bytes)
        if provenance.cores < self.cores:
            cores += f" of {self.cores}"
        if _gib(self.memory_bytes) != memory:
            memory += f" of {_gib(self.memory_bytes)}"
        one = self.cores == 1
        return f"{provenance.cpu}, {cores} core{'' if one else 's'}, {memory} GiB"


def _gib(size_bytes: int) -> str:
    return significant(size_bytes / GIB, 2)


class Given(Store[Image]):
    """Results that were handed in; nothing is measured into them."""

    is_reference = True

    def __init__(self, provenance: Provenance, image: Image, results: Iterable[Result]) -> None:
        super().__init__(files.MACHINES, image, provenance)
        self._results = {key_of(result): result for result in results}


@dataclass(frozen=True)
class Submission:
    """What was handed in of one machine: results by the file and the form of it."""

    machine: Machine
    provenance: Provenance
    stores: dict[tuple[str, str], Given]

    @property
    def title(self) -> str:
        """What the machine is called."""
        return self.machine.title(self.provenance)

    @property
    def name(self) -> str:
        """Name of its file: another machine, or other versions, have another."""
        words = re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")
        return f"{words}-{self.provenance.digest[:8]}.json"

    def encoded(self) -> bytes:
        """Return the content of its file, a line for each result."""
        parts = []
        for (file, form), store in self.stores.items():
            results = sorted(store.all(), key=key_of)
            lines = ",\n".join(json.dumps(CONVERTER.unstructure(result)) for result in results)
            head = json.dumps({"file": file, "form": form, "data": store.data.entry()})
            parts.append(f'{head[:-1]}, "results": [\n{lines}\n]}}')
        head = json.dumps(
            {
                "schema": SCHEMA,
                "machine": asdict(self.machine),
                "provenance": asdict(self.provenance),
            }
        )
        return f'{head[:-1]}, "files": [\n{",".join(parts)}]}}\n'.encode()


def here() -> Machine:
    """Return all that this machine has, whatever bounds this process to less."""
    return Machine(psutil.cpu_count() or 1, psutil.virtual_memory().total)


def made(
    machine: Machine, provenance: Provenance, stores: dict[tuple[str, str], Store[Image]]
) -> Submission:
    """Make a submission of what was measured here, without what would say where, or of whom."""
    given: dict[str, Any] = asdict(provenance)
    texts = {name: _plain(text) for name, text in given.items() if isinstance(text, str)}
    # What follows the release of a kernel says who compiled it.
    texts["system"] = re.sub(r"(\d+\.\d+)[^ ,]*", r"\1", texts["system"])
    said = Provenance(**given | texts)
    found = {
        key: Given(
            said, _nameless(store.data, key[0]), map(_lean, filter(_is_compared, store.all()))
        )
        for key, store in stores.items()
    }
    return Submission(machine, said, found)


def _is_compared(result: Result) -> bool:
    """Tell whether a stored result is of the code as it is, and of a task that is compared."""
    if result.task == self_check.TASK or result.method in roofline.RATES:
        return True
    if result.task not in changes.tasks_compared():
        return False
    digests = {m.name: m.source_sha256 for m in task_named(result.task).methods}
    return digests.get(result.method) == result.source_sha256


def _nameless(image: Image, file: str) -> Image:
    """Return a file without its name; of one of the reader, not even a digest of its bytes."""
    path = Path(f"{file}{image.ending}")
    if file == STANDARD:
        return replace(image, path=path, reason="", remark="")
    said = repr((image.shape, image.dtype, image.scaled, image.compression)).encode()
    digest = hashlib.sha256(said).hexdigest()
    return replace(image, path=path, sha256=digest, reason="", remark="")


def _lean(result: Result) -> Result:
    """Return a result without what no page shows, and without what could name something."""
    result = replace(without_series(result), message="")
    returned = result.returned
    if returned is None or not returned.text or not _PLAIN.fullmatch(returned.text):
        return replace(result, returned=None)
    few = replace(returned, shape=(), dtype="", sums=(), affine=())
    return replace(result, returned=few)


def _plain(text: str) -> str:
    """Return a text without the characters that a submission must not have."""
    kept = "".join(c if _PLAIN.fullmatch(c) else " " for c in text)
    return " ".join(kept.split())[:MOST_TEXT]


def read(content: bytes, name: str) -> Submission:
    """Read a submission.

    Parameters
    ----------
    content : bytes
        The file.
    name : str
        What a sentence calls it.

    Raises
    ------
    SubmissionError
        It is no submission, of a newer schema, has a text that a page would have to escape,
        figures that no measurement gives, or no check of its gauge that was passed.
    """
    try:
        return _read(content)
    except SubmissionError as error:
        raise SubmissionError(f"{name} is refused: {error} {ADVICE}") from error


def _read(content: bytes) -> Submission:
    given = _loaded(content)
    _refuse_texts(given)
    try:
        machine = CONVERTER.structure(given["machine"], Machine)
        provenance = CONVERTER.structure(given["provenance"], Provenance)
        stores = dict(_store(provenance, part) for part in given["files"])
        _ = [Version(version) for version in provenance.packages.values()]
    except UNREADABLE as error:
        raise SubmissionError(f"it is damaged ({_plain(str(error))}).") from error
    if missing := [name for name in PACKAGES if name not in provenance.packages]:
        raise SubmissionError(f"it does not say the version of {missing[0]}.")
    if not 0 < provenance.cores <= machine.cores or provenance.memory_bytes <= 0:
        raise SubmissionError("its machine has fewer processors or less memory than were used.")
    found = Submission(machine, provenance, stores)
    if any((file, "") not in stores for file in (STANDARD, *(file for file, _ in stores))):
        raise SubmissionError("it has no results on the standard file, or on a whole file.")
    for store in stores.values():
        _refuse_figures(store, machine)
    _refuse_gauge(stores[STANDARD, ""])
    return found


def _loaded(content: bytes) -> dict[str, Any]:
    if len(content) > MOST_FILE_BYTES:
        raise SubmissionError(f"it is larger than {format_bytes(MOST_FILE_BYTES)}.")

    def refused(word: str) -> float:
        raise SubmissionError(f"it has a figure that is no number ({word}).")

    try:
        given = json.loads(content, parse_constant=refused)
    except (ValueError, RecursionError) as error:
        raise SubmissionError("it is no JSON.") from error
    if not isinstance(given, dict) or not isinstance(given.get("schema"), int):
        raise SubmissionError("it does not say of what schema it is.")
    if given["schema"] > SCHEMA:
        raise SubmissionError(
            f"it has schema {given['schema']}, and this version reads schema {SCHEMA}; take a "
            "newer version of this project."
        )
    if given["schema"] < 1 or set(given) != _FIELDS:
        raise SubmissionError(f"it does not have the fields {', '.join(sorted(_FIELDS))} alone.")
    return given


def _leaves(given: Any) -> Iterator[Any]:
    """Go through all texts and numbers, names of fields included."""
    if isinstance(given, dict):
        for name, value in given.items():
            yield name
            yield from _leaves(value)
    elif isinstance(given, list):
        for value in given:
            yield from _leaves(value)
    else:
        yield given


def _refuse_texts(given: Any) -> None:
    """Refuse a text that is more than letters, and a number that no unit of ours reaches."""
    for leaf in _leaves(given):
        if isinstance(leaf, str) and (len(leaf) > MOST_TEXT or not _PLAIN.fullmatch(leaf)):
            raise SubmissionError(
                f"it has a text that a page would have to escape, or a path ({_plain(leaf):.40})."
            )
        if isinstance(leaf, (int, float)) and not abs(leaf) < 1e18:  # noqa: PLR2004
            raise SubmissionError("it has a figure that is no number, or beyond all measure.")


def _store(provenance: Provenance, part: dict[str, Any]) -> tuple[tuple[str, str], Given]:
    image = Image.from_entry(part["data"], files.MACHINES)
    if len(image.shape) != 4 or min(*image.shape, image.file_bytes, image.images) < 1:  # noqa: PLR2004
        raise SubmissionError("a file of it has no size, or no shape of four axes.")
    key = part["file"], part["form"]
    known = {""} | chapter.released_forms()
    if key[0] not in {STANDARD, OWN} or key[1] not in known:
        raise SubmissionError(f"it is about a file that is not known here ({key[0]} {key[1]}).")
    standard = image.shape[:3] == _STANDARD_SHAPE and image.dtype == "int16" and not image.scaled
    if key[0] == STANDARD and not (standard and image.volumes <= VOLUMES):
        raise SubmissionError("what it calls the standard file has another shape or type.")
    return key, Given(provenance, image, CONVERTER.structure(part["results"], list[Result]))


def _refuse_figures(store: Given, machine: Machine) -> None:
    """Refuse results of which a figure cannot be, each with its reason."""
    for result in store.all():
        name = f"{result.task}.{result.method}"
        if max(len(result.time_runs), len(result.memory_runs)) > MOST_RUNS:
            raise SubmissionError(f"{name} has more than {MOST_RUNS} runs.")
        if not all(map(_is_possible_time, result.time_runs)):
            raise SubmissionError(f"{name} has a time, or a number of calls, that cannot be.")
        if not all(_is_possible_memory(run, machine) for run in result.memory_runs):
            raise SubmissionError(
                f"{name} has a memory that is negative, or more than its machine has."
            )
        if result.task != self_check.TASK and result.raw_bytes not in (None, store.data.raw_bytes):
            raise SubmissionError(f"{name} has another raw size than its file.")
        if not result.failed and not result.time_runs and not result.memory_runs:
            raise SubmissionError(f"{name} has no run.")
    _refuse_below_roofline(store)


def _is_possible_time(run: TimeRun) -> bool:
    others = (run.cpu_seconds, run.children_cpu_seconds, run.waited_seconds, run.stolen_seconds)
    return (
        0 < run.wall_seconds <= MOST_SECONDS
        and 0 < run.calls <= MOST_CALLS
        and min(*others, run.major_faults) >= 0
    )


def _is_possible_memory(run: MemoryRun, machine: Machine) -> bool:
    sizes = (run.peak_bytes, run.baseline_bytes, run.low_bytes, run.high_bytes, *run.parts_bytes)
    most = machine.memory_bytes
    whole = run.peak_bytes + run.baseline_bytes
    return min(sizes) >= 0 and whole <= most and abs(run.kept_bytes) <= most


def _refuse_below_roofline(store: Given) -> None:
    """Refuse times below what the machine's own rates allow, at their best."""
    if store.data.compression != "gz":  # a plain file can be mapped, and then is not read
        return
    best = Given(store.provenance, store.data, map(_best, store.all()))
    for result in store.all():
        need = roofline.need_of(result.task, result.method, store.data)
        if result.method in roofline.RATES or result.failed or not (need and result.time_runs):
            continue
        rates = {rate for work in roofline.work_of(need, store.data, "warm") for rate in work}
        if missing := [rate for rate in sorted(rates) if not best.get(result.task, rate)]:
            raise SubmissionError(
                f"{result.task} lacks the rate {missing[0]}, by which its times can be judged."
            )
        judged = roofline.completed(result, best)
        if (judged.least_seconds or 0) < JUDGED_FROM_SECONDS:
            continue
        if judged.times_least.high < POSSIBLE_FROM:
            raise SubmissionError(
                f"{result.task}.{result.method} is faster than its machine can be by the rates "
                "that were measured with it."
            )


def _best(result: Result) -> Result:
    """Return the result of a rate with its fastest run alone."""
    if result.method not in roofline.RATES or not result.time_runs:
        return result
    return replace(result, time_runs=(min(result.time_runs, key=lambda r: r.wall_seconds),))


def _refuse_gauge(store: Given) -> None:
    checks = self_check.stored(store)
    if not checks:
        raise SubmissionError("its memory gauge was not checked on the calls that are known here.")
    for check in checks:
        if not check.is_kept:
            raise SubmissionError(
                f"its memory gauge was wrong: {check.call.label} needs "
                f"{format_bytes(check.call.peak_bytes)}, and {format_bytes(check.read_bytes)} "
                "were read."
            )


def write(found: Submission, folder: Path | None = None) -> Path:
    """Write a submission after a look whether it will be taken, and return its path.

    Parameters
    ----------
    found : Submission
        What was measured.
    folder : Path, optional
        By default where they are kept in a checkout, or else the working folder.

    Raises
    ------
    SubmissionError
        It would be refused; nothing is written.
    StoreError
        It cannot be written.
    """
    content = found.encoded()
    read(content, found.name)
    path = (folder or (Path() if files.INSTALLED else files.MACHINES)) / found.name
    try:
        with files.written_whole(path) as stream:
            stream.write(content)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written: {error.strerror or error}. The runs are stored all the "
            "same; run the same command again, with another folder behind --to."
        ) from error
    return path
