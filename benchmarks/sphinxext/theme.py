"""What the theme leaves out: the level of the headings in its list of pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

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


def setup(app: Sphinx) -> None:
    """Register the handler."""
    app.connect("html-page-context", mend, priority=_LATE)
