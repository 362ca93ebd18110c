"""How a quantity grows: with the length of the run, the number of images, and of workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from docutils.parsers.rst import directives

from benchmarks.comparisons import growth
from benchmarks.errors import FigureError
from benchmarks.images.variants import MANY
from benchmarks.report.captions import caption
from benchmarks.results.quantities import QUANTITIES

from . import pages
from .pages import MeasuredDirective, table_node

if TYPE_CHECKING:
    from collections.abc import Callable

    from docutils.nodes import Node
    from sphinx.application import Sphinx


class GrowthDirective(MeasuredDirective):
    """``.. growth:: growth``: a quantity at each length of the run, and the slope.

    With ``:images:``, by number of images; ``:workers: 1 2 4``, by method, on a ``:form:``.
    """

    required_arguments = 1
    option_spec: ClassVar[dict[str, Callable[[str], object]]] = {
        "methods": str.split,
        "images": directives.flag,
        "form": directives.unchanged_required,
        "workers": lambda text: [int(number) for number in text.split()],
        "quantity": directives.unchanged_required,
    }

    def measured(self) -> list[Node]:
        """Return the table."""
        quantity = self.options.get("quantity", "peak")
        if quantity not in growth.UNITS:
            known = ", ".join(growth.UNITS)
            raise FigureError(f"There is no growth of {quantity!r}; there are: {known}.")
        found = self._growth()
        heading = QUANTITIES[quantity].heading.capitalize()
        return [table_node(found.table(quantity), f"{heading}. {found.caption}")]

    def _growth(self) -> growth.Growth:
        if "workers" in self.options:
            return self._of_workers()
        task, methods, lookup = self.arguments[0], self.options.get("methods", ()), pages.site()
        of_images = "images" in self.options
        names = [f"{task}@{name}" for name in (MANY if of_images else growth.LENGTHS)]
        found = [(lookup.data_of(name), lookup.of_task(name, methods)) for name in names]
        if of_images:
            return growth.of_images(found, lookup.provenance)
        return growth.of_lengths(found, caption(found[0][0], lookup.provenance))

    def _of_workers(self) -> growth.Growth:
        workers, lookup = self.options["workers"], pages.site()
        task = f"{self.arguments[0]}@{self.options.get('form', 'short')}"
        results = lookup.of_task(task, self.options.get("methods", ()))
        if len(workers) != len(results):
            raise FigureError(f"{len(workers)} numbers of workers, {len(results)} methods.")
        text = caption(lookup.data_of(task), lookup.provenance)
        return growth.of_jobs(workers, results, text)


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("growth", GrowthDirective)
