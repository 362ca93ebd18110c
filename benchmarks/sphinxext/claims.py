"""The directive of a claim: a statement, and what the measurements say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives

from benchmarks.claims import judge
from benchmarks.claims.claim import Claim, Verdict
from benchmarks.claims.expressions import Expression
from benchmarks.claims.judge import Judgement
from benchmarks.errors import FigureError

from . import pages
from .pages import MeasuredDirective

if TYPE_CHECKING:
    from collections.abc import Callable

    from docutils.nodes import Node
    from sphinx.application import Sphinx

#: What a verdict is called in the page, and how a reader should take it.
WORDS = {
    Verdict.HOLDS: "Holds",
    Verdict.CONTRADICTED: "Contradicted",
    Verdict.UNDECIDED: "Undecided: the runs reach to both sides of the bound",
    Verdict.ELSEWHERE: "Not about this file, or about what is not installed or does not fit here",
}


class ClaimDirective(MeasuredDirective):
    """``.. claim::``: a statement with a bound, and what the measurements say of it."""

    has_content = True
    option_spec: ClassVar[dict[str, Callable[[str], object]]] = {
        "faster": directives.unchanged_required,
        "leaner": directives.unchanged_required,
        "than": directives.unchanged_required,
        "value": directives.unchanged_required,
        "is": directives.unchanged_required,
        "changed-in": directives.unchanged_required,
        "at-least": float,
        "at-most": float,
        "when": directives.unchanged_required,
        "nilearn": directives.unchanged_required,
        "nibabel": directives.unchanged_required,
    }
    required_arguments = 0
    optional_arguments = 1

    def measured(self) -> list[Node]:
        """Return the statement and its verdict."""
        lookup = pages.lookup()
        claim = self._claim()
        for condition in claim.when:
            lookup.data.meets(condition)  # refuses an unknown one, however it is judged
        claims = pages.this_page(self.env).claims
        claims.append((claim, Judgement(Verdict.ELSEWHERE)))
        found = judge.of_pages(claim, lookup, pages.across)
        claims[-1] = (claim, found)
        line = f"{WORDS[found.verdict]}{found.where}"
        if found.value:
            line += f": measured {found.value}, claimed {claim.bound}."
        elif claim.scope:
            line += f": it is about {claim.scope}."
        kind = found.verdict.name.lower()
        box = nodes.container(classes=["claim", f"claim-{kind}"])
        box += self.parse_content_to_nodes()
        box += nodes.paragraph("", line, classes=["claim-verdict"])
        return [box]

    def _claim(self) -> Claim:
        options = self.options
        source, line = self.get_source_info()
        return Claim(
            text=" ".join(" ".join(self.content).split()),
            expression=Expression.parse(self._expression()),
            at_least=options.get("at-least"),
            at_most=options.get("at-most"),
            place=f"{self.env.path2doc(source) or source}, line {line}",
            equals=options.get("is", ""),
            changed_in=options.get("changed-in", ""),
            when=tuple(filter(None, map(str.strip, options.get("when", "").split(",")))),
            releases=tuple((p, options[p]) for p in ("nilearn", "nibabel") if p in options),
        )

    def _expression(self) -> str:
        """Turn ``:faster: a :than: b`` into ``task.b.time / task.a.time``."""
        named = {"faster": "time", "leaner": "peak"}
        given = [name for name in (*named, "value") if name in self.options]
        if len(given) != 1:
            raise FigureError("A claim has one of the options faster, leaner and value.")
        if given[0] == "value":
            text: str = self.options["value"]
            return text
        if "than" not in self.options or not self.arguments:
            raise FigureError(f"A claim with {given[0]} needs a task, and the option than.")
        task, better, worse = self.arguments[0], self.options[given[0]], self.options["than"]
        quantity = named[given[0]]
        return f"{task}.{worse}.{quantity} / {task}.{better}.{quantity}"


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("claim", ClaimDirective)
