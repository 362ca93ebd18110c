"""The extension that this project's own chapter is built with: all that is about BOLD runs.

And what theme and diagrams leave out: levels of headings, drawings inside the page, the banner.
And small intersphinx inventories, made of hand-written lists, for projects not to be reached.
"""

from __future__ import annotations

import html
import re
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils.nodes import SkipNode
from sphinxcontrib.mermaid import mermaid, render_mm
from sphinxcontrib.mermaid.exceptions import MermaidError

from benchmarks.images.workspace import Workspace
from benchmarks.report.markup import directive
from benchmarks.results.reference_store import SAID

from . import calculator, growth, machines, pages, releases, roofline, upstream

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.config import Config
    from sphinx.util.typing import ExtensionMetadata
    from sphinx.writers.html5 import HTML5Translator

_CONFIGURED = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)

_XML_HEAD = re.compile(r"^\s*<\?xml[^>]*\?>\s*")

#: After the theme has made its list (the default is 500).
_LATE = 900

_TREE = "furo_navigation_tree"

_LISTS = "_inventories"
_INVENTORIES = "_build/inventories"

_HEAD = (
    "# Sphinx inventory version 2\n# Project: {name}\n# Version: \n"
    "# The remainder of this file is compressed using zlib.\n"
)


def inventory(name: str) -> str:
    """Return where the inventory of a project is, relative to the sources."""
    return f"{_INVENTORIES}/{name}.inv"


def write_inventories(app: Sphinx, _config: Config) -> None:
    """Compile ``_inventories/*.txt``; a line: name domain:role priority address title (or -)."""
    for path in sorted((Path(app.srcdir) / _LISTS).glob("*.txt")):
        target = Path(app.srcdir) / inventory(path.stem)
        target.parent.mkdir(parents=True, exist_ok=True)
        head = _HEAD.format(name=path.stem).encode()
        target.write_bytes(head + zlib.compress(path.read_bytes()))


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


def _as_text(_page: upstream.Page, node: mermaid) -> str:
    """Return a diagram as its source, for others who draw it themselves."""
    options = [f":alt: {' '.join(node['alt'].split())}"] if node.get("alt") else []
    source = _CONFIGURED.sub("", node["code"])  # how others draw it is theirs to say
    return directive("mermaid", "", options, source.strip("\n"))


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
    app.connect("config-inited", write_inventories)
    app.connect("builder-inited", pages.withdraw, priority=100)
    app.connect("html-page-context", mend, priority=_LATE)
    app.setup_extension("sphinxcontrib.mermaid")
    app.add_node(mermaid, override=True, html=(visit, None))
    upstream.Page.block.register(mermaid, _as_text)  # type: ignore[attr-defined]
    for feature in (calculator, growth, machines, releases, roofline):
        feature.setup(app)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
