"""Two result sets side by side: two machines, two versions, before and after."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from . import store
from .cells import Table
from .columns import NONE, status
from .errors import DataError
from .expressions import Interval
from .quantities import QUANTITIES
from .steps import LEAST_DIFFERENCE
from .units import format_ratio

if TYPE_CHECKING:
    from pathlib import Path

    from .provenance import Provenance
    from .results import Result

QUANTITIES_COMPARED = ("time", "peak")
SAME = "the same within the spread"

#: By the name of a quantity: what less and more of it are called.
_WORDS = {"time": ("faster", "slower"), "peak": ("leaner", "needs more")}


def in_words(quantity: str, ratio: float) -> str:
    """Say how many times less or more of a quantity it is, after over before."""
    less, more = _WORDS[quantity]
    return f"{less if ratio < 1 else more}, {format_ratio(max(ratio, 1 / ratio))} times"


@dataclass(frozen=True)
class Row:
    """One quantity of one method, in both sets.

    Attributes
    ----------
    task, method, quantity : str
        Names.
    first, second : str
        Medians with their units.
    ratio : float or None
        Of the medians, second over first.
    verdict : str
        What can be said in the face of the spread.
    """

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
        rows = [
            (
                f"{row.task}.{row.method}",
                QUANTITIES[row.quantity].heading,
                row.first,
                row.second,
                NONE if row.ratio is None else format_ratio(row.ratio),
                row.verdict,
            )
            for row in self.rows
        ]
        return Table(("method", "quantity", "A", "B", "B / A", "B is"), tuple(rows))

    def __str__(self) -> str:
        return "\n".join([self.table().text(), "", *self.remarks])

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {"rows": [asdict(row) for row in self.rows], "remarks": list(self.remarks)}


def between(first: Path, second: Path, *, different_files: bool = False) -> Differences:
    """Compare two results files.

    Parameters
    ----------
    first, second : Path
        Results files, as ``fmri-bench run --json`` writes them; or folders of them, as there is
        one for each release.
    different_files : bool
        Whether the two may be about different fMRI files.

    Raises
    ------
    StoreError
        One of them cannot be read.
    DataError
        They are about different files, or have no method in common.
    """
    (here, names, results), (there, other_names, others) = _read(first), _read(second)
    remarks = _circumstances(here, there)
    if names.keys() != other_names.keys():
        said = ["; ".join(one.values()) for one in (names, other_names)]
        if not different_files:
            raise DataError(
                f"{first} is about {said[0]} and {second} about another file, {said[1]}. If that "
                "is meant, say so with --different-files."
            )
        remarks.insert(0, f"A is about {said[0]}, B about {said[1]}.")
    by_key = {_key(result): result for result in others}
    pairs = [(result, by_key[_key(result)]) for result in results if _key(result) in by_key]
    if not pairs:
        raise DataError(f"{first} and {second} have no method in common.")
    rows = [_row(one, two, name) for one, two in pairs for name in QUANTITIES_COMPARED]
    remarks += _about_methods(results, others, pairs)
    return Differences(tuple(row for row in rows if row), tuple(remarks))


def _read(path: Path) -> tuple[Provenance, dict[str, str], list[Result]]:
    """Read a results file, or all of a folder: versions, names of the data by digest, results."""
    paths = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not paths:
        raise DataError(f"There is no results file in {path}. Give one that has some.")
    found = [store.read(one) for one in paths]
    names = {data.sha256: data.name for _, data, _ in found}
    return found[0][0], names, [result for _, _, results in found for result in results]


def _key(result: Result) -> tuple[str, str, str]:
    return result.task, result.method, result.cache


def _about_methods(
    results: list[Result], others: list[Result], pairs: list[tuple[Result, Result]]
) -> list[str]:
    """Return sentences on methods whose code differs, and on those of one set alone."""
    changed = [_name(one) for one, two in pairs if one.source_sha256 != two.source_sha256]
    alone = {*map(_name, [*results, *others])} - {_name(one) for one, _ in pairs}
    sentences = [("The code differs of", changed), ("In one of the two alone", sorted(alone))]
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


def _row(one: Result, two: Result, name: str) -> Row | None:
    quantity = QUANTITIES[name]
    if "ok" not in {one.status, two.status}:
        return None
    if one.status != "ok" or two.status != "ok":
        first, second = (status(r) if r.status != "ok" else NONE for r in (one, two))
        return Row(one.task, one.method, name, first, second, None, "not to be compared")
    a, b = one.quantity(name), two.quantity(name)
    if not a.values or not b.values:
        return None
    ratio = Interval.of(b, quantity.smallest) / Interval.of(a, quantity.smallest)
    # What the gauge can be off by is no difference, however well it repeats.
    is_seen = abs(a.median - b.median) > LEAST_DIFFERENCE[name]
    differs = is_seen and (ratio.high < 1 or ratio.low > 1)
    verdict = in_words(name, ratio.median) if differs else SAME
    medians = quantity.write(a.median), quantity.write(b.median)
    return Row(one.task, one.method, name, *medians, ratio.median, verdict)
