"""Sphinx extension: measured figures, tables and claims in the pages of any project.

``measured_examples`` and other settings say what is measured, and when (see `pages.begin`). This
project's own chapter is built with `benchmarks.sphinxext.chapter`, which adds the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import claims, measurements, original, pages, upstream

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register roles, directives and the handlers that keep pages up to date."""
    # After sphinx-gallery, whose examples may measure too.
    app.connect("builder-inited", pages.begin, priority=900)
    app.connect("env-get-outdated", pages.outdated)
    app.connect("env-updated", pages.updated)
    app.connect("env-purge-doc", pages.purge)
    app.connect("env-merge-info", pages.merge)
    app.connect("doctree-resolved", pages.write_tables)
    app.connect("build-finished", pages.finish)
    for feature in (claims, measurements, original, pages, upstream):
        feature.setup(app)
    return {
        "version": "1",
        "env_version": 5,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
