"""Put mermaid diagrams into the page as SVG, drawn while the site is built.

The drawing needs no script, no network and no browser; inside the page, unlike in an
``object``, it can carry a role and a label for screen readers.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import TYPE_CHECKING

from docutils.nodes import SkipNode
from sphinxcontrib.mermaid import mermaid, render_mm
from sphinxcontrib.mermaid.exceptions import MermaidError

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

_XML_HEAD = re.compile(r"^\s*<\?xml[^>]*\?>\s*")


def setup(app: Sphinx) -> None:
    """Take over the drawing of mermaid nodes in HTML."""
    app.setup_extension("sphinxcontrib.mermaid")
    app.add_node(mermaid, override=True, html=(visit, None))


def visit(translator: HTML5Translator, node: mermaid) -> None:
    """Write one diagram; its ``:alt:`` is what a screen reader says."""
    _, path = render_mm(translator, node["code"], node["options"], "svg")
    if path is None:
        raise MermaidError("the mermaid command cannot be run")
    label = html.escape(node.get("alt", "diagram"), quote=True)
    svg = _XML_HEAD.sub("", Path(path).read_text(encoding="utf-8"))
    svg = re.sub(r"<svg\b", f'<svg role="img" aria-label="{label}"', svg, count=1)
    translator.body.append(f'<div class="diagram" tabindex="0">{svg}</div>')
    raise SkipNode
