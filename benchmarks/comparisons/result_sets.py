"""Two result sets side by side: two machines, two versions, before and after."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.errors import DataError
from benchmarks.images.image import Image
from benchmarks.report.result_tables import NONE, status
from benchmarks.report.table import Table
from benchmarks.results.quantities import LEAST_RATIO, QUANTITIES, differ, in_words
from benchmarks.results.store import read
from benchmarks.units import format_ratio

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.results.provenance import Provenance
    from benchmarks.results.result import Result

    _Key = tuple[str, str, str, str]

SAME = "the same within the spread"


@dataclass(frozen=True)
class Row:
    """One quantity of one method in both sets: medians, second over first, and a verdict."""

    #: The name of the data file of the second set.
    file: str
    task: str
    method: str
    quantity: str
    first: str
    second: str
    ratio: float | None
    verdict: str


@dataclass(frozen=True)
class Differences:
    """All that two sets have in common, and in what their circumstances differ."""

    rows: tuple[Row, ...]
    remarks: tuple[str, ...]

    def table(self) -> Table:
        """Return the table."""
        several = len({row.file for row in self.rows}) > 1
        rows = [
            (
                *([row.file] if several else []),
                f"{row.task}.{row.method}",
                QUANTITIES[row.quantity].heading,
                row.first,
                row.second,
                NONE if row.ratio is None else format_ratio(row.ratio),
                row.verdict,
            )
            for row in self.rows
        ]
        first = ("file", "method") if several else ("method",)
        return Table((*first, "quantity", "A", "B", "B / A", "B is"), tuple(rows))

    def __str__(self) -> str:
        return "\n".join([self.table().text(), "", *self.remarks])

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {"rows": [asdict(row) for row in self.rows], "remarks": list(self.remarks)}


def between(first: Path, second: Path, *, different_files: bool = False) -> Differences:
    """Compare two results files, or folders of them; raises StoreError or DataError."""
    (here, names, results), (there, other_names, others) = _read(first), _read(second)
    if different_files and max(len(names), len(other_names)) > 1:
        raise DataError(
            "Of results of different files, two can be compared: give a results file of each."
        )
    remarks = _circumstances(here, there)
    if names.keys() != other_names.keys():
        said = ["; ".join(one.values()) for one in (names, other_names)]
        if not different_files:
            raise DataError(
                f"{first} is about {said[0]} and {second} about another file, {said[1]}. If that "
                "is meant, say so with --different-files."
            )
        remarks.insert(0, f"A is about {said[0]}, B about {said[1]}.")
    if different_files:  # each set is about one
        others = {("", *key[1:]): result for key, result in others.items()}
        results = {("", *key[1:]): result for key, result in results.items()}
    both = [key for key in results if key in others]
    if not both:
        raise DataError(f"{first} and {second} have no method in common.")
    rows = [
        _row(other_names.get(key[0], ""), results[key], others[key], name)
        for key in both
        for name in LEAST_RATIO
    ]
    remarks += _about_methods(results, others)
    return Differences(tuple(row for row in rows if row), tuple(remarks))


def _read(path: Path) -> tuple[Provenance, dict[str, str], dict[_Key, Result]]:
    """Read a results file, or all of a folder: versions, names of the data by digest, results.

    The same method may have been measured on several files, which are not to be mixed up.
    """
    paths = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not paths:
        raise DataError(f"There is no results file in {path}. Give one that has some.")
    found = [read(one, Image) for one in paths]
    names = {image.sha256: image.name for _, image, _ in found}
    if len({(image.sha256, here.digest) for here, image, _ in found}) > len(names):
        raise DataError(
            f"{path} has results of the same file under two machines or versions. Give one of its "
            "files, or move the others away."
        )
    results = {
        (image.sha256, result.task, result.method, result.cache): result
        for _, image, of_file in found
        for result in of_file
    }
    return found[0][0], names, results


def _about_methods(results: dict[_Key, Result], others: dict[_Key, Result]) -> list[str]:
    """Return sentences on methods whose code differs, and on those of one set alone."""
    both = results.keys() & others.keys()
    changed = {
        _name(results[key])
        for key in both
        if results[key].source_sha256 != others[key].source_sha256
    }
    everything = {*map(_name, results.values()), *map(_name, others.values())}
    alone = everything - {_name(results[key]) for key in both}
    sentences = [
        ("The code differs of", sorted(changed)),
        ("In one of the two alone", sorted(alone)),
    ]
    return [f"{words}: {', '.join(names)}." for words, names in sentences if names]


def _name(result: Result) -> str:
    return f"{result.task}.{result.method}"


def _circumstances(here: Provenance, there: Provenance) -> list[str]:
    """Return a sentence for each circumstance in which two sets differ."""
    return [
        f"{what}: A {one}; B {two}."
        for (what, one), (_, two) in zip(here.rows(), there.rows(), strict=True)
        if one != two
    ]


def _row(file: str, one: Result, two: Result, name: str) -> Row | None:
    quantity = QUANTITIES[name]
    if one.failed and two.failed:
        return None
    if one.failed or two.failed:
        first, second = (status(r) if r.failed else NONE for r in (one, two))
        return Row(file, one.task, one.method, name, first, second, None, "not to be compared")
    a, b = one.quantity(name), two.quantity(name)
    if not a.values or not b.values:
        return None
    ratio = max(b.median, quantity.smallest) / max(a.median, quantity.smallest)
    verdict = in_words(name, ratio) if differ(a, b, name) else SAME
    medians = quantity.write(a.median), quantity.write(b.median)
    return Row(file, one.task, one.method, name, *medians, ratio, verdict)
