"""Roles that write a measured figure into a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util.docutils import SphinxRole

from benchmarks.errors import AbsentError, FigureError
from benchmarks.expressions import Expression

from . import pages

if TYPE_CHECKING:
    from docutils.nodes import Node, system_message


class FigureRole(SphinxRole):
    """``:measured:`load.get_fdata.time``` or ``:ratio:`a.b.time / a.c.time```.

    Parameters
    ----------
    terms : int
        1 for a quantity, 2 for a ratio.
    """

    def __init__(self, terms: int) -> None:
        self._terms = terms

    def run(self) -> tuple[list[Node], list[system_message]]:
        """Write the median; a figure that is missing or stale is a warning and red text."""
        pages.this_page(self.env)
        try:
            expression = self._expression()
            value = expression.evaluate(pages.lookup().find)
        except AbsentError as error:  # too much for this machine, and no fault of the page
            return [nodes.inline(self.rawtext, f"[{error}]", classes=["figure-absent"])], []
        except FigureError as error:
            pages.problem(self.env, str(error), self.get_location())
            return [nodes.inline(self.rawtext, f"[{error}]", classes=["figure-missing"])], []
        text = expression.write(value.median)
        store = pages.lookup().store
        if store.is_fixed:
            said = {"explanation": store.provenance.cpu, "classes": ["figure"]}
            return [nodes.abbreviation(self.rawtext, text, **said)], []
        return [nodes.inline(self.rawtext, text, classes=["figure"])], []

    def _expression(self) -> Expression:
        expression = Expression.parse(self.text)
        if min(len(expression.terms), 2) != self._terms:
            wanted = "one quantity" if self._terms == 1 else "a ratio of quantities"
            raise FigureError(f":{self.name}:`{self.text}` is not {wanted}.")
        return expression
