"""``.. calculator::``: a form that predicts, in the page, what a reader's own file would need."""

from __future__ import annotations

import html
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from docutils import nodes

from benchmarks import comparison, costs, memory, own, prediction, sizes, units
from benchmarks.cells import WRAPPER

from . import pages
from .directives import MeasuredDirective, table_node

if TYPE_CHECKING:
    from docutils.nodes import Node
    from sphinx.application import Sphinx

    from benchmarks.costs import Cost
    from benchmarks.store import Store

SCRIPT = "calculator.js"

#: Types of voxels that files of BOLD runs have.
TYPES = ("int16", "uint16", "float32", "float64", "uint8", "int32")

#: What is applied to the values: slope and intercept that stand for all others.
SCALINGS = {
    "as stored": (1.0, 0.0),
    "multiplied by a slope": (2.0, 0.0),
    "multiplied and shifted": (2.0, 1.0),
}
ENDINGS = {".nii.gz": "gz", ".nii": "none"}

_SPACE = ("voxels along x", "voxels along y", "voxels along z", "volumes")


class Calculator(nodes.General, nodes.Element):
    """The form, the data it rests on, and an empty table."""


class CalculatorDirective(MeasuredDirective):
    """``.. calculator::``: from shape, type and ending to peak and time of each method."""

    def measured(self) -> list[Node]:
        """Return the form.

        Raises
        ------
        FigureError
            Small files of the run were not measured.
        """
        lookup = pages.lookup()
        return [Calculator(content=_content(lookup.small_files()), data=lookup.store.data)]


class PredictedDirective(MeasuredDirective):
    """``.. predicted::``: what was predicted for the run, beside what was measured of it."""

    def measured(self) -> list[Node]:
        """Return the table.

        Raises
        ------
        FigureError
            Small files of the run were not measured.
        """
        lookup = pages.lookup()
        predicted = prediction.of_data(lookup.file.data, lookup.small_files())
        results = {(result.task, result.method): result for result in lookup.store.all()}
        there = tuple(
            row
            for row in predicted.rows
            if (found := results.get((row.task, row.method))) and found.time_runs
        )
        verified = own.Verified(replace(predicted, rows=there), results)
        caption = comparison.caption(lookup.store.data, lookup.store.provenance)
        return [table_node(verified.table(), f"Predicted and measured. {caption}")]


def _content(found: Store) -> dict[str, Any]:
    """Return all that the script needs, as JSON can hold it."""
    kinds = {f"{v}_{ending}" for v in sizes.VOXELS for ending in sizes.ENDINGS}
    return {
        "bytes": {name: np.dtype(name).itemsize for name in TYPES},
        "kinds": {
            f"{name}|{scaling}|{ending}": sizes.kind_of(name, slope, inter, compression)
            for name in TYPES
            for scaling, (slope, inter) in SCALINGS.items()
            for ending, compression in ENDINGS.items()
        },
        "methods": {
            kind: [
                {"task": cost.task, "method": cost.method, "message": cost.message}
                | {"peak": _parts(cost.peak_bytes), "time": _parts(cost.wall_seconds)}
                for cost in costs.of_kind(found, kind)
            ]
            for kind in sorted(kinds)
        },
        "usable": memory.USABLE_FRACTION,
        "tight": prediction.TIGHT_FROM,
        "words": [prediction.FITS, prediction.TIGHT, prediction.DOES_NOT_FIT],
    }


def _parts(cost: Cost | None) -> list[float | bool] | None:
    if cost is None:
        return None
    return [cost.fixed, cost.per_volume_voxel, cost.per_voxel, cost.again]


def visit(translator: Any, node: Calculator) -> None:
    """Write the form; without a script it says what to do instead."""
    data, content = node["data"], node["content"]
    numbers = "".join(
        _field(
            label, f'<input type="number" min="1" step="1" required value="{value}" name="n{i}">'
        )
        for i, (label, value) in enumerate(zip(_SPACE, data.shape, strict=True))
    )
    scaling = "multiplied by a slope" if data.scaled else "as stored"
    ending = ".nii" if data.compression == "none" else ".nii.gz"
    tasks = sorted({m["task"] for methods in content["methods"].values() for m in methods})
    free = pages.lookup().store.provenance.memory_bytes / units.GIB
    choices = (
        _field("data type", _select("dtype", TYPES, data.dtype))
        + _field("values", _select("scaling", SCALINGS, scaling))
        + _field("ending", _select("ending", ENDINGS, ending))
        + _field(
            "free memory, GiB",
            f'<input type="number" min="0.1" step="0.1" required value="{free:.1f}" name="free">',
        )
        + _field("task", _select("task", ("every task", *tasks), "mean_over_time"))
    )
    text = json.dumps(content).replace("<", "\\u003c")  # no text may end the element
    translator.body.append(
        '<form class="calculator" aria-label="Calculator">'
        f"<fieldset><legend>Your file</legend>{numbers}{choices}</fieldset>"
        '<p role="status" class="calculator-summary"></p>'
        f'{WRAPPER}<table class="measurements calculated" hidden>'
        '<caption></caption><thead><tr><th scope="col">method</th><th scope="col">time, about</th>'
        '<th scope="col">peak, about</th><th scope="col">there</th></tr></thead>'
        "<tbody></tbody></table></div>"
        "<noscript>The calculator needs JavaScript. Without it, ask on the command line: "
        "<code>fmri-bench predict my_bold.nii.gz</code>.</noscript>"
        f'<script type="application/json">{text}</script></form>'
    )
    raise nodes.SkipNode


def _field(label: str, control: str) -> str:
    return f"<label>{html.escape(label)}{control}</label>"


def _select(name: str, values: Any, chosen: str) -> str:
    options = "".join(
        f"<option{' selected' if value == chosen else ''}>{html.escape(value)}</option>"
        for value in values
    )
    return f'<select name="{name}">{options}</select>'


def skip(_translator: Any, _node: Calculator) -> None:
    """Leave the form out of what is no web page."""
    raise nodes.SkipNode


def add_script(
    app: Sphinx,
    _page: str,
    _template: str,
    _context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Load the script on pages with a calculator, and on no other."""
    if doctree is not None and next(iter(doctree.findall(Calculator)), None) is not None:
        app.add_js_file(SCRIPT, loading_method="defer")


def setup(app: Sphinx) -> None:
    """Register the directive and what it needs."""
    app.add_directive("calculator", CalculatorDirective)
    app.add_directive("predicted", PredictedDirective)
    app.add_node(Calculator, html=(visit, None), latex=(skip, None), text=(skip, None))
    app.connect("html-page-context", add_script)
