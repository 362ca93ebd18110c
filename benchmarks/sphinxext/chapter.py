"""The extension that this project's own chapter is built with: all that is about BOLD runs.

And what theme and diagrams leave out: levels of headings, drawings inside the page, the banner.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils.nodes import SkipNode
from sphinxcontrib.mermaid import mermaid, render_mm
from sphinxcontrib.mermaid.exceptions import MermaidError

from benchmarks.images.workspace import Workspace
from benchmarks.results.reference_store import SAID

from . import calculator, growth, inventories, machines, pages, releases, roofline

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata
    from sphinx.writers.html5 import HTML5Translator

_XML_HEAD = re.compile(r"^\s*<\?xml[^>]*\?>\s*")

#: After the theme has made its list (the default is 500).
_LATE = 900

_TREE = "furo_navigation_tree"


def mend(
    _app: Sphinx,
    _page: str,
    _template: str,
    context: dict[str, Any],
    _doctree: nodes.document | None,
) -> None:
    """Give the captions in the list of pages a level: a heading needs one (WAI-ARIA 1.2)."""
    if _TREE in context:
        context[_TREE] = context[_TREE].replace('role="heading"', 'role="heading" aria-level="2"')


def visit(translator: HTML5Translator, node: mermaid) -> None:
    """Write one diagram; its ``:alt:`` is what a screen reader says."""
    _, path = render_mm(translator, node["code"], node["options"], "svg")
    if path is None:
        raise MermaidError("the mermaid command cannot be run")
    # Inside the page, unlike in an object, a drawing can carry a role and a label.
    label = html.escape(node.get("alt", "diagram"), quote=True)
    svg = _XML_HEAD.sub("", Path(path).read_text(encoding="utf-8"))
    svg = re.sub(r"<svg\b", f'<svg role="img" aria-label="{label}"', svg, count=1)
    translator.body.append(f'<div class="diagram" tabindex="0">{svg}</div>')
    raise SkipNode


def banner() -> str:
    """Return what every page of a site says that shows reference results, as HTML."""
    found = Workspace.of_reference().store
    last = max(result.measured_at for result in found.all())[:10]
    return (
        f"{SAID} All figures are of another machine: "
        f"{html.escape(found.provenance.cpu)}, measured until {last}. “Here”, “this machine” and "
        "“this build” mean that one."
    )


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register all of it, and take over the drawing of mermaid nodes in HTML."""
    app.setup_extension("benchmarks.sphinxext")
    # Before sphinx-gallery, which measures at builder-inited and wraps an error in its own.
    app.connect("config-inited", pages.check_file)
    app.connect("config-inited", inventories.write)
    app.connect("builder-inited", pages.withdraw, priority=100)
    app.connect("html-page-context", mend, priority=_LATE)
    app.setup_extension("sphinxcontrib.mermaid")
    app.add_node(mermaid, override=True, html=(visit, None))
    for feature in (calculator, growth, machines, releases, roofline):
        feature.setup(app)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
