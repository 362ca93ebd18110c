"""The directive of a claim: a statement within a paragraph, and a mark with its verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.transforms import SphinxTransform

from benchmarks.claims import judge
from benchmarks.claims.claim import Claim, Verdict
from benchmarks.claims.expressions import Expression
from benchmarks.claims.judge import Judgement
from benchmarks.errors import FigureError
from benchmarks.report.result_tables import NONE
from benchmarks.report.table import template
from benchmarks.units import SPACE

from . import pages
from .pages import MeasuredDirective

if TYPE_CHECKING:
    from collections.abc import Callable

    from docutils.nodes import Node
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

#: What a verdict is called in the page, and how a reader should take it.
WORDS = {
    Verdict.HOLDS: "Holds",
    Verdict.CONTRADICTED: "Contradicted",
    Verdict.UNDECIDED: "Undecided: there are repeats on both sides of the bound",
    Verdict.ELSEWHERE: "Not about this file, or about what is not installed or does not fit here",
}

#: What it is drawn as.
SIGNS = {
    Verdict.HOLDS: "✓",
    Verdict.CONTRADICTED: "✗",
    Verdict.UNDECIDED: "?",
    Verdict.ELSEWHERE: NONE,
}

#: Of the paragraph that a claim is, until it joins the one before it.
_ALONE = "claim-alone"


class ClaimMark(nodes.inline):
    """The verdict behind a statement: a button in HTML, brackets wherever else."""


class ClaimDirective(MeasuredDirective):
    """``.. claim::``: a statement with a bound, which ends the paragraph before it."""

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
        """Return a paragraph of the statement and its mark."""
        lookup = pages.lookup()
        claim = self._claim()
        for condition in claim.when:
            lookup.data.meets(condition)  # refuses an unknown one, however it is judged
        claims = pages.this_page(self.env).claims
        claims.append((claim, Judgement(Verdict.ELSEWHERE)))
        found = judge.of_pages(claim, lookup, pages.across)
        claims[-1] = (claim, found)
        statement = self._statement(found.verdict)
        statement += [nodes.Text(SPACE), self._mark(claim, found, len(claims))]
        return [nodes.paragraph("", "", statement, classes=[_ALONE])]

    def _statement(self, verdict: Verdict) -> nodes.inline:
        """Return the sentence of the content, which has to be one paragraph."""
        content = self.parse_content_to_nodes()
        if len(content) != 1 or not isinstance(content[0], nodes.paragraph):
            raise FigureError("The statement of a claim has to be one paragraph.")
        kind = f"claim-{verdict.name.lower()}"
        return nodes.inline("", "", *content[0].children, classes=["claim", kind])

    def _mark(self, claim: Claim, found: Judgement, number: int) -> ClaimMark:
        line = f"{WORDS[found.verdict]}{found.where}"
        if found.value:
            line += f": measured {found.value}, claimed {claim.bound}."
        else:
            line += f": it is about {claim.scope}." if claim.scope else "."
        place = nodes.make_id(f"claim-{self.env.docname}-{number}")
        is_ratio = found.runs and len(claim.expression.terms) > 1
        ratio = [f"The ratio is {claim.expression}."] if is_ratio else []
        about = {"verdict": found.verdict, "lines": [line, *ratio, *found.runs], "place": place}
        return ClaimMark("", f"[{line}]", classes=["claim-mark"], **about)

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


class JoinClaims(SphinxTransform):
    """Claims behind a paragraph, or behind one another, become its last sentences."""

    default_priority = 30  # after translations, which are of paragraphs as they were written

    def apply(self) -> None:
        """Move each into the paragraph that directly comes before it, if there is one."""
        for paragraph in list(self.document.findall(nodes.paragraph)):
            if _ALONE not in paragraph["classes"]:
                continue
            before = _before(paragraph)
            if isinstance(before, nodes.paragraph) and not pages.is_absent(before):
                before += [nodes.Text(" "), *paragraph.children]
                paragraph.parent.remove(paragraph)
            else:
                paragraph["classes"].remove(_ALONE)


def _before(node: nodes.Element) -> Node | None:
    """Return what is shown directly before a node by the same parent."""
    siblings = node.parent.children[: node.parent.index(node)]
    return next((one for one in reversed(siblings) if not isinstance(one, nodes.comment)), None)


def visit(translator: HTML5Translator, node: ClaimMark) -> None:
    """Write the mark as a button, and behind it what it opens to."""
    verdict: Verdict = node["verdict"]
    word = verdict.name.lower() if verdict is not Verdict.ELSEWHERE else "not about this file"
    marks = template("benchmarks.report", "mark.html.jinja").module
    # What is untrue has to be seen without opening anything.
    shown = verdict is Verdict.CONTRADICTED
    translator.body.append(
        marks.mark(node["place"], SIGNS[verdict], word, node["lines"], "claim-mark", shown=shown)
    )
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Register the directive, its mark, and what puts claims into paragraphs."""
    app.add_directive("claim", ClaimDirective)
    app.add_node(ClaimMark, html=(visit, None))
    app.add_transform(JoinClaims)
