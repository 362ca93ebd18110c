"""``.. calculator::``: a form that predicts, in the page, what a reader's own file would need."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from docutils import nodes

from benchmarks.comparisons import own_file
from benchmarks.gauge import machine
from benchmarks.prediction import predict, proof, request, small_files
from benchmarks.report.captions import caption
from benchmarks.report.table import template
from benchmarks.tasks.chapter import SHOWN_WITH
from benchmarks.units import GIB

from . import pages
from .pages import MeasuredDirective, table_node

if TYPE_CHECKING:
    from docutils.nodes import Node
    from sphinx.application import Sphinx

    from benchmarks.images.image import Image
    from benchmarks.prediction.basis import Basis
    from benchmarks.prediction.cost_model import Cost, Costs

SCRIPTS = ("units.js", "calculator.js")

#: Types of voxels that files of BOLD runs have.
TYPES = ("int16", "uint16", "float32", "float64", "uint8", "int32")

#: What is applied to the values: slope and intercept that stand for all others.
SCALINGS = {
    "as stored": (1.0, 0.0),
    "multiplied by a slope": (2.0, 0.0),
    "multiplied and shifted": (2.0, 1.0),
}
ENDINGS = {".nii.gz": "gz", ".nii": "none"}

_EXTENT = ("voxels along x", "voxels along y", "voxels along z", "volumes")


class Calculator(nodes.Invisible, nodes.Element):
    """The form, the data it rests on, and an empty table."""


class CalculatorDirective(MeasuredDirective):
    """``.. calculator::``: from shape, type and ending to peak and time of each method."""

    def measured(self) -> list[Node]:
        """Return the form."""
        lookup = pages.site()
        return [Calculator(content=_content(lookup.basis), image=lookup.data)]


class PredictedDirective(MeasuredDirective):
    """``.. predicted::``: what was predicted beside what was measured, and how far it was off."""

    def measured(self) -> list[Node]:
        """Return both tables."""
        lookup = pages.site()
        off = proof.Proof.of(lookup.stores().values(), lookup.basis)
        words = (
            "How far predictions of all memory were off, for files that no fit has seen. The most "
            "that a run took counts."
        )
        spread = table_node(off.table(), " ".join([words, *off.remarks]))
        predicted = predict.of_image(lookup.data, lookup.basis)
        results = {(result.task, result.method): result for result in lookup.store.all()}
        there = tuple(
            row
            for row in predicted.rows
            if (found := results.get((row.task, row.method))) and found.time_runs
        )
        verified = own_file.Verified(replace(predicted, rows=there), results)
        text = caption(lookup.data, lookup.provenance)
        return [spread, table_node(verified.table(), f"Predicted and measured. {text}")]


def _content(basis: Basis) -> dict[str, Any]:
    """Return all that the script needs, as JSON can hold it."""
    handing_out = request.handing_out()
    return {
        "bytes": {name: np.dtype(name).itemsize for name in TYPES},
        "kinds": {
            f"{name}|{scaling}|{ending}": small_files.kind_of(name, slope, inter, compression)
            for name in TYPES
            for scaling, (slope, inter) in SCALINGS.items()
            for ending, compression in ENDINGS.items()
        },
        "methods": {
            kind: [_method(costs, basis) for costs in basis.of_kind(kind)]
            for kind in small_files.KINDS
        },
        "handing_out": {"once": handing_out.once_bytes, "each": handing_out.each_bytes},
        "usable": machine.USABLE_FRACTION,
        "tight": predict.TIGHT_FROM,
        "basis": f"{request.words(basis)} {basis.words}",
        "words": [predict.FITS, predict.TIGHT, predict.DOES_NOT_FIT],
    }


def _method(costs: Costs, basis: Basis) -> dict[str, Any]:
    """Return what is known of one method."""
    return {
        "task": costs.task,
        "method": costs.method,
        "message": costs.message,
        "peak": _parts(costs.peak_bytes),
        "whole": _parts(costs.whole_bytes),
        "time": _parts(costs.wall_seconds),
        "workers": costs.workers,
        "margin": request.margin(basis, costs.workers),
        "same": predict.same_group(costs.task, costs.method),
        "replaces": predict.may_replace(costs),
    }


def _parts(cost: Cost | None) -> list[float | bool] | None:
    if cost is None:
        return None
    return [cost.fixed, cost.per_volume_voxel, cost.per_voxel, cost.again]


def _scaling(image: Image) -> str:
    if image.inter:
        return "multiplied and shifted"
    return "multiplied by a slope" if image.scaled else "as stored"


def visit(translator: Any, node: Calculator) -> None:
    """Write the form; without a script it says what to do instead."""
    image, content = node["image"], node["content"]
    tasks = sorted({m["task"] for methods in content["methods"].values() for m in methods})
    choices = {
        "dtype": ("data type", TYPES, image.dtype),
        "scaling": ("values", SCALINGS, _scaling(image)),
        "ending": ("ending", ENDINGS, image.ending),
    }
    page = template("benchmarks.sphinxext", "calculator.html.jinja").render(
        basis=content["basis"],
        extent=list(zip(_EXTENT, image.shape, strict=True)),
        choices=choices,
        free=pages.site().provenance.memory_bytes / GIB,
        processors=max(1, int(pages.site().provenance.cores)),
        tasks=("every task", *tasks),
        shown=SHOWN_WITH,
        # No text may end the element that holds it.
        content=json.dumps(content).replace("<", "\\u003c"),
    )
    translator.body.append(page)
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Register the directive and what it needs."""
    app.add_directive("calculator", CalculatorDirective)
    app.add_directive("predicted", PredictedDirective)
    pages.add_form(app, Calculator, visit, *SCRIPTS)
