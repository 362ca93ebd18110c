"""Roles that write a measured figure into a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util.docutils import SphinxRole

from benchmarks import outlook
from benchmarks.errors import AbsentError, FigureError
from benchmarks.expressions import Expression

from . import pages

if TYPE_CHECKING:
    from docutils.nodes import Node, system_message


class MeasuredRole(SphinxRole):
    """A role whose figure may be missing."""

    def run(self) -> tuple[list[Node], list[system_message]]:
        """Write the figure; one that is missing or stale is a warning and red text."""
        pages.this_page(self.env)
        try:
            text = self.written()
        except AbsentError as error:  # too much for this machine, and no fault of the page
            return [nodes.inline(self.rawtext, f"[{error}]", classes=["figure-absent"])], []
        except FigureError as error:
            pages.problem(self.env, str(error), self.get_location())
            return [nodes.inline(self.rawtext, f"[{error}]", classes=["figure-missing"])], []
        store = pages.lookup().store
        if store.is_fixed:
            said = {"explanation": store.provenance.cpu, "classes": ["figure"]}
            return [nodes.abbreviation(self.rawtext, text, **said)], []
        return [nodes.inline(self.rawtext, text, classes=["figure"])], []

    def written(self) -> str:
        """Return the figure as the page shows it.

        Raises
        ------
        FigureError
            It is missing or stale, or the role is not understood.
        """
        raise NotImplementedError


class FigureRole(MeasuredRole):
    """``:measured:`load.get_fdata.time``` or ``:ratio:`a.b.time / a.c.time```.

    Parameters
    ----------
    terms : int
        1 for a quantity, 2 for a ratio.
    """

    def __init__(self, terms: int) -> None:
        self._terms = terms

    def written(self) -> str:
        """Return the median."""
        expression = Expression.parse(self.text)
        if min(len(expression.terms), 2) != self._terms:
            wanted = "one quantity" if self._terms == 1 else "a ratio of quantities"
            raise FigureError(f":{self.name}:`{self.text}` is not {wanted}.")
        return expression.write(expression.evaluate(pages.lookup().find).median)


class OutlookRole(MeasuredRole):
    """``:outlook:`workers```: a figure of `benchmarks.outlook.Outlook.figures`."""

    def written(self) -> str:
        """Return the figure."""
        figures = outlook.of(pages.lookup()).figures()
        if self.text not in figures:
            known = ", ".join(figures)
            raise FigureError(f"There is no {self.text!r} of many runs; there are: {known}.")
        return figures[self.text]
