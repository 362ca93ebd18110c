"""Judge claims: by this build, and by the releases that a claim is about."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from benchmarks import files
from benchmarks.errors import FigureError
from benchmarks.results import reference_store
from benchmarks.results.quantities import LEAST_RATIO, QUANTITIES
from benchmarks.results.store import CONVERTER

from .claim import NEVER, Claim, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.results.result import Result

    from .lookup import Lookup, Under


#: The last line of a traceback, which says what was wrong.
_RAISED = re.compile(r"^ *([\w.]*(?:Error|Exception): .+)$", re.MULTILINE)


class Releases(Protocol):
    """The same methods under several releases, oldest first: `benchmarks.releases.changes`."""

    @property
    def under(self) -> Sequence[Under]:
        """The results under each."""

    @property
    def is_reference(self) -> bool:
        """Whether they are those of the reference machine."""

    def results(self, task_name: str, method_name: str) -> Sequence[Result | None]:
        """Return the result of a method under each release, None where it was not measured."""

    def steps(self, task_name: str, method_name: str, quantity: str) -> Sequence[int]:
        """Return the indices of the releases that changed a quantity of a method."""

    def changes(self) -> Sequence[Any]:
        """Return every change: its task, method, heading, index, before and after."""


@dataclass(frozen=True)
class Judgement:
    """What the measurements say of a claim: verdict, value in words, and by what it was judged."""

    verdict: Verdict
    value: str = ""
    where: str = ""
    #: What the runs of each quantity gave, a line each.
    runs: tuple[str, ...] = ()


def of_pages(claim: Claim, lookup: Lookup, opened: Callable[[], Releases]) -> Judgement:
    """Judge a claim as its page shows it.

    By this build if the claim is about what was measured here, else by the releases it is about.

    Parameters
    ----------
    claim : Claim
        What is judged.
    lookup : Lookup
        The results that the pages show.
    opened : callable
        Gives the same methods under several releases, for claims that ask for them.

    Raises
    ------
    FigureError
        A result is missing, stale, or without figures.
    """
    if claim.changed_in:
        return _of_changes(claim, opened())
    verdict, value = claim.judge(lookup.find, lookup.provenance.packages, lookup.data)
    if verdict is not Verdict.ELSEWHERE:
        where = _machine(fixed=lookup.is_reference)
        return Judgement(verdict, value, where, tuple(claim.runs(lookup.find)))
    if not claim.releases:
        return Judgement(verdict)
    for term in claim.expression.terms:
        lookup.method(term.task, term.method)  # one that is unknown was measured nowhere
    across = opened()
    found = [(under, of_release(claim, under)) for under in across.under]
    judged = [(under, one) for under, one in found if one.verdict is not Verdict.ELSEWHERE]
    if not judged:
        return Judgement(Verdict.ELSEWHERE)
    worst = min((one.verdict for _, one in judged), key=_ORDER.index)
    values = [f"{one.value} under {under.title}" for under, one in judged]
    where = " under the releases that it is about"
    where += _machine(fixed=across.is_reference, joint="")
    runs = (f"{under.title}: {line}" for under, one in judged for line in one.runs)
    return Judgement(worst, "; ".join(values), where, tuple(runs))


#: The verdict on several releases is the first of these that one of them gives.
_ORDER = (Verdict.CONTRADICTED, Verdict.UNDECIDED, Verdict.HOLDS)


def _machine(*, fixed: bool, joint: str = " here") -> str:
    return f" on the {reference_store.LABEL.lower()}" if fixed else joint


def of_release(claim: Claim, under: Under) -> Judgement:
    """Judge a claim by one release; what it says nothing of, or was not measured, is elsewhere."""
    if any(term.quantity in under.unsaid for term in claim.expression.terms):
        return Judgement(Verdict.ELSEWHERE)
    try:
        verdict, value = claim.judge(under.find, under.provenance.packages, under.data)
        if verdict is Verdict.ELSEWHERE:
            return Judgement(verdict)
        return Judgement(verdict, value, runs=tuple(claim.runs(under.find)))
    except FigureError:
        return Judgement(Verdict.ELSEWHERE)


def of_releases(claim: Claim, across: Releases) -> list[tuple[Under, Judgement]]:
    """Judge a claim by every release."""
    return [(under, of_release(claim, under)) for under in across.under]


def contradicted(
    claims: Sequence[Claim], across: Releases
) -> list[tuple[Claim, Under, Judgement]]:
    """Return claims that a release contradicts and another does not, a change marked between."""
    # Else it is due to the run, which may be shorter than that of the site.
    found = []
    for claim in claims:
        judged = [] if claim.changed_in else of_releases(claim, across)
        verdicts = [one.verdict for _, one in judged]
        for index, (under, one) in enumerate(judged):
            if one.verdict is Verdict.CONTRADICTED and any(
                _has_changed(claim, across, index, other)
                for other, verdict in enumerate(verdicts)
                if verdict in {Verdict.HOLDS, Verdict.UNDECIDED}
            ):
                found.append((claim, under, one))
    return found


def _has_changed(claim: Claim, across: Releases, one: int, other: int) -> bool:
    """Tell whether a figure of a claim changed between two releases."""
    for term in claim.expression.terms:
        quantity = "peak" if term.quantity.endswith("multiplier") else term.quantity
        if quantity not in LEAST_RATIO:  # changes of other figures are not looked for
            return True
        changed = across.steps(term.task, term.method, quantity)
        if any(min(one, other) < index <= max(one, other) for index in changed):
            return True
    return False


def _of_changes(claim: Claim, across: Releases) -> Judgement:
    """Judge a claim about the release that changed a figure."""
    term = claim.expression.terms[0]
    heading = QUANTITIES[term.quantity].heading
    changes = [
        change
        for change in across.changes()
        if (change.task, change.method, change.heading) == (term.task, term.method, heading)
    ]
    if not any(across.results(term.task, term.method)):
        return Judgement(Verdict.ELSEWHERE)  # its code has changed since
    brought = [across.under[change.index].versions[0] for change in changes]
    holds = brought == ([] if claim.changed_in == NEVER else [claim.changed_in])
    value = "; ".join(
        f"{change.before} to {change.after} with {across.under[change.index].title}"
        for change in changes
    )
    where = f" for the releases that were measured{_machine(fixed=across.is_reference)}"
    return Judgement(Verdict.HOLDS if holds else Verdict.CONTRADICTED, value or "no change", where)


def rows(
    claims: Sequence[Claim], lookup: Lookup, opened: Callable[[], Releases]
) -> list[dict[str, str]]:
    """Judge claims as the pages do, and by each release that contradicts one."""
    found = [_row(claim, of_pages(claim, lookup, opened)) for claim in claims]
    return found + [
        _row(claim, judgement, under.title)
        for claim, under, judgement in contradicted(claims, opened())
    ]


def rows_of_releases(claims: Sequence[Claim], across: Releases) -> list[dict[str, str]]:
    """Return the claims that releases contradict, and those about what a release changed."""
    changes = [_row(c, _of_changes(c, across)) for c in claims if c.changed_in]
    return changes + [_row(c, found, u.title) for c, u, found in contradicted(claims, across)]


def _row(claim: Claim, found: Judgement, title: str = "") -> dict[str, str]:
    return {
        "place": claim.place,
        "text": claim.text,
        "expression": str(claim.expression),
        "verdict": found.verdict,
        "measured": found.value,
        "bound": claim.bound,
        "release": title,
    }


#: What asks for something to be done stands last.
_FOR_A_LOG = (Verdict.ELSEWHERE, Verdict.HOLDS, Verdict.UNDECIDED, Verdict.CONTRADICTED)


def text(rows: Sequence[dict[str, str]]) -> str:
    """Write judged claims for a terminal, the worst last, and how many there are of each."""
    lines = []
    # A log is read from its end.
    for row in sorted(rows, key=lambda row: _FOR_A_LOG.index(Verdict(row["verdict"]))):
        measured = f"measured {row['measured']}, " if row["measured"] else ""
        under = f" ({row['release']})" if row["release"] else ""
        lines += [
            f"{row['verdict'].upper():>13}  {row['place']}: {row['text']}{under}",
            f"{'':>13}  {row['expression']}: {measured}claimed {row['bound']}",
        ]
    counts = {verdict: sum(row["verdict"] == verdict for row in rows) for verdict in Verdict}
    lines.append(", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count))
    return "\n".join(lines)


def has_contradicted(rows: Sequence[dict[str, str]]) -> bool:
    """Tell whether one of judged claims is contradicted."""
    return any(row["verdict"] == Verdict.CONTRADICTED for row in rows)


def written_claims() -> list[Claim]:
    """Read the claims of the last build; raises FigureError without one, or if pages changed."""
    path = files.CLAIMS
    pages = [*files.DOC.glob("*.rst"), *files.EXAMPLES.glob("*.py")]
    if not path.exists() or any(page.stat().st_mtime > path.stat().st_mtime for page in pages):
        raise FigureError("The claims of the pages are not collected yet. Run: make html.")
    return _read(path)


def collected_claims() -> list[Claim]:
    """Read the claims of the pages, by a build if none was; raises FigureError if that fails."""
    with contextlib.suppress(FigureError):
        return written_claims()
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "claims.json"
        words = ["-q", "-b", "dummy", "-c", str(files.PROJECT), "-d", f"{folder}/doctrees"]
        words += ["-D", f"measured_claims_file={target}", str(files.DOC), folder]
        answer = subprocess.run(
            [sys.executable, "-m", "sphinx", *words],
            # Where Sphinx fails, it leaves a log in the folder of temporary files.
            env=os.environ | {"MEASURE": "0", "TMPDIR": folder},
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode or not target.exists():
            said = _RAISED.findall(answer.stderr) or [answer.stderr.strip()]
            raise FigureError(f"The pages cannot be read: {said[-1]}")
        return _read(target)


def _read(path: Path) -> list[Claim]:
    return CONVERTER.structure(json.loads(path.read_bytes()), list[Claim])
