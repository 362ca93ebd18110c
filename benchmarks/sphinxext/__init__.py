"""Sphinx extension: measured figures, tables and claims in pages. It reads, never measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import calculator, diagram, inventories, pages, releases, theme
from .bounds import GrowthDirective, LimitsDirective, OutlookDirective, RatesDirective
from .directives import (
    GaugeDirective,
    MeasurementsDirective,
    PartsDirective,
    ProvenanceDirective,
    SnippetDirective,
)
from .roles import FigureRole, OutlookRole
from .statements import ClaimDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register roles, directives and the handlers that keep pages up to date."""
    app.add_config_value("measured_claims_file", "", "env", frozenset({str}))
    app.add_role("measured", FigureRole(terms=1))
    app.add_role("ratio", FigureRole(terms=2))
    app.add_role("outlook", OutlookRole())
    app.add_directive("measurements", MeasurementsDirective)
    app.add_directive("claim", ClaimDirective)
    app.add_directive("snippet", SnippetDirective)
    app.add_directive("parts", PartsDirective)
    app.add_directive("growth", GrowthDirective)
    app.add_directive("outlook", OutlookDirective)
    app.add_directive("rates", RatesDirective)
    app.add_directive("limits", LimitsDirective)
    app.add_directive("gauge", GaugeDirective)
    app.add_directive("provenance", ProvenanceDirective)
    # Before sphinx-gallery, which measures at builder-inited and wraps an error in its own.
    app.connect("config-inited", pages.check_file)
    app.connect("config-inited", inventories.write)
    app.connect("builder-inited", pages.begin, priority=900)
    app.connect("env-get-outdated", pages.outdated)
    app.connect("env-updated", pages.updated)
    app.connect("env-purge-doc", pages.purge)
    app.connect("env-merge-info", pages.merge)
    app.connect("build-finished", pages.finish)
    diagram.setup(app)
    calculator.setup(app)
    releases.setup(app)
    theme.setup(app)
    return {
        "version": "1",
        "env_version": 2,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
