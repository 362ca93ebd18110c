"""Sphinx extension: measured figures, tables and claims in pages. It reads, never measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import (
    calculator,
    claims,
    extrapolation,
    growth,
    inventories,
    measurements,
    original,
    pages,
    releases,
    roofline,
    theme,
)

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register roles, directives and the handlers that keep pages up to date."""
    # Before sphinx-gallery, which measures at builder-inited and wraps an error in its own.
    app.connect("config-inited", pages.check_file)
    app.connect("config-inited", inventories.write)
    app.connect("builder-inited", pages.withdraw, priority=100)
    app.connect("builder-inited", pages.begin, priority=900)
    app.connect("env-get-outdated", pages.outdated)
    app.connect("env-updated", pages.updated)
    app.connect("env-purge-doc", pages.purge)
    app.connect("env-merge-info", pages.merge)
    app.connect("build-finished", pages.finish)
    for feature in (
        calculator,
        claims,
        extrapolation,
        growth,
        measurements,
        original,
        releases,
        roofline,
        theme,
    ):
        feature.setup(app)
    return {
        "version": "1",
        "env_version": 3,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
