"""Directives about several releases: what changed, and what claims are worth under each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives

from benchmarks.claims import judge
from benchmarks.claims.claim import Verdict
from benchmarks.errors import FigureError
from benchmarks.releases.changes import tasks_compared
from benchmarks.report.result_tables import NONE
from benchmarks.report.table import Label, Table
from benchmarks.results.quantities import LEAST_RATIO

from . import pages
from .claims import SIGNS
from .pages import MeasuredDirective, table_node

if TYPE_CHECKING:
    from collections.abc import Callable

    from docutils.nodes import Node
    from sphinx.application import Sphinx

    from benchmarks.claims.claim import Claim
    from benchmarks.report.table import Cell


class ClaimsAcross(nodes.Invisible, nodes.Element):
    """Stands for the table of claims until all pages are read."""


class ChangesDirective(MeasuredDirective):
    """``.. changes::``: every figure that changed from one release to the next."""

    def measured(self) -> list[Node]:
        """Return the table, and whether a release that was measured twice shows a change."""
        across = pages.across()
        caption = f"What changed from one release to the next. {across.caption}"
        table = table_node(across.table_of_changes(), caption, classes=["across"])
        found: list[Node] = [table]
        return found + [nodes.paragraph("", self._repeated(index)) for index in across.repeated()]

    @staticmethod
    def _repeated(index: int) -> str:
        across = pages.across()
        marked = [change for change in across.changes() if change.index == index]
        title = across.under[index].title
        if not marked:
            return f"{title} was measured twice. Between the two, no change was marked."
        names = ", ".join(f"{change.task}.{change.method}" for change in marked)
        return (
            f"{title} was measured twice. Between the two, {len(marked)} figures were marked as "
            f"changed, and should not have been: {names}. Take single changes with care."
        )


class AcrossDirective(MeasuredDirective):
    """``.. across:: load``: one ``:quantity:`` of a task under each release, changes marked."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Callable[[str], object]]] = {
        "quantity": directives.unchanged_required
    }

    def measured(self) -> list[Node]:
        """Return the table."""
        task, quantity = self.arguments[0], self.options.get("quantity", "time")
        for name, known in ((task, tasks_compared()), (quantity, LEAST_RATIO)):
            if name not in known:
                raise FigureError(f"{name!r} is not compared across releases: {', '.join(known)}.")
        across = pages.across()
        versions = "The columns are releases: of nilearn, and of nibabel."
        caption = f"{versions} {across.caption}"
        return [table_node(across.table(task, quantity), caption, classes=["across"])]


class ClaimsAcrossDirective(MeasuredDirective):
    """``.. claims-across::``: claims about certain releases, and their verdict under each."""

    def measured(self) -> list[Node]:
        """Return what stands for the table until the claims of all pages are known."""
        pages.across()
        pages.this_page(self.env).listed = ""
        return [ClaimsAcross()]


def resolve(app: Sphinx, doctree: nodes.document, _docname: str) -> None:
    """Put the table in its place."""
    for node in list(doctree.findall(ClaimsAcross)):
        claims = [claim for claim, _ in pages.all_claims(app.env)]
        node.replace_self(_claims(claims))


def _claims(claims: list[Claim]) -> list[Node]:
    across = pages.across()
    rows = []
    # One that is stated on several pages is one claim.
    for claim in {replace(claim, place=""): claim for claim in claims}.values():
        if claim.releases and not claim.changed_in:
            found = [judgement for _, judgement in judge.of_releases(claim, across)]
            rows.append((_plain(claim), claim.scope, *(_word(one.verdict) for one in found)))
    titles = (" / ".join(under.versions) for under in across.under)
    table = Table(("statement", "about", *titles), tuple(rows))
    caption = f"Statements about certain releases. {across.caption}"
    node = table_node(
        table, caption, classes=["across", "statements"], identity="claims-across-releases"
    )
    others = [
        f"{_plain(claim)} Contradicted under {under.title}: measured {found.value}, claimed "
        f"{claim.bound} ({claim.place})."
        for claim, under, found in judge.contradicted(claims, across)
    ]
    listed = nodes.bullet_list()
    listed += [nodes.list_item("", nodes.paragraph("", text)) for text in others]
    none = (
        "No statement of this site is contradicted under one release and not under another with a "
        f"change of its figures marked between the two. A {SIGNS[Verdict.CONTRADICTED]} without "
        "such a change comes from the run, which may be shorter than that of the site, or from "
        "chance."
    )
    return [node, listed if others else nodes.paragraph("", none)]


def _plain(claim: Claim) -> str:
    """Return the sentence of a claim without the marks of code."""
    return claim.text.replace("``", "")


def _word(verdict: Verdict) -> Cell:
    return NONE if verdict is Verdict.ELSEWHERE else Label(verdict, SIGNS[verdict])


def setup(app: Sphinx) -> None:
    """Register the directives."""
    app.add_directive("changes", ChangesDirective)
    app.add_directive("across", AcrossDirective)
    app.add_directive("claims-across", ClaimsAcrossDirective)
    app.add_node(ClaimsAcross)
    app.connect("doctree-resolved", resolve)
