"""Pages as plain reStructuredText, every figure written out, for the documentation of others.

``sphinx-build -b upstream`` writes the pages that ``measured_upstream`` of conf.py names, or all,
and their images beside them. There are no roles or directives of ours in them; references to other
projects stay roles, and those to other pages of this site become links where it is published.
"""

from __future__ import annotations

import functools
import importlib.metadata
import re
import shutil
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from docutils.utils import column_width
from pygments.lexers import get_all_lexers  # type: ignore[import-untyped]
from sphinx import addnodes
from sphinx.builders import Builder
from sphinx.util import logging
from sphinx.util.nodes import process_only_nodes

from benchmarks.claims.claim import Verdict
from benchmarks.report.captions import caption
from benchmarks.report.markup import (
    INDENT,
    directive,
    escaped,
    indented,
    list_table,
    paragraph,
    plain_paragraph,
)
from benchmarks.report.table import Amount, plain

from . import pages
from .claims import ClaimMark

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from docutils.nodes import Element, Node
    from sphinx.application import Sphinx

    from benchmarks.report.table import Cell, Table

logger = logging.getLogger(__name__)

#: Above and below the title of a page, and below those of its sections, by level.
_LINES = '==-~^"'
_IMAGES = "images"
_FOOTNOTE = "measured"

#: What inline markup may stand behind, and before; else an escaped space has to part them.
_OPENED, _CLOSED = re.compile(r"[\s\-:/'\"<(\[{]\Z"), re.compile(r"[\s\-.,:;!?/'\")\]}>\\]")

#: How a block begins that goes on with what is indented below it.
_TAKES_MORE = re.compile(r"\s|\.\. |- |\d+\. |:\S")

#: What is not for readers, or not for those of plain text.
_SILENT = (
    nodes.Invisible,
    nodes.raw,
    nodes.title,
    nodes.label,
    addnodes.index,
    addnodes.highlightlang,
    addnodes.tabular_col_spec,
    addnodes.toctree,
)

_AROUND = {
    nodes.emphasis: ("*", "*"),
    nodes.strong: ("**", "**"),
    nodes.title_reference: (":title:`", "`"),
    nodes.subscript: (":sub:`", "`"),
    nodes.superscript: (":sup:`", "`"),
}


class UpstreamBuilder(Builder):
    """Writes pages as reStructuredText, and copies their images."""

    name = "upstream"
    format = "rst"
    epilog = "The pages are in %(outdir)s."

    def get_outdated_docs(self) -> Iterable[str]:
        """Return all pages that are asked for."""
        return self._wanted()

    def _wanted(self) -> Sequence[str]:
        return self.config.measured_upstream or sorted(self.env.found_docs)

    def get_target_uri(self, docname: str, typ: str | None = None) -> str:  # noqa: ARG002
        """Return where a page is published; its name if it is not."""
        return f"{self.config.html_baseurl}{docname}.html"

    def get_relative_uri(self, from_: str, to: str, typ: str | None = None) -> str:  # noqa: ARG002
        """Return the same: the other documentation is elsewhere."""
        return self.get_target_uri(to)

    def prepare_writing(self, docnames: Any) -> None:
        """Do nothing; older releases of Sphinx ask for it."""

    def write_doc(self, docname: str, doctree: nodes.document) -> None:  # noqa: ARG002
        """Write a page from what was read, in which references to other projects are open."""
        if docname not in self._wanted():
            return
        page = Page(self, docname, {self.get_target_uri(name) for name in self._wanted()})
        found = self.env.get_doctree(docname)
        process_only_nodes(found, self.tags)
        text = page.written(found)
        path = Path(self.outdir, docname).with_suffix(".rst")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        for source, target in page.images.items():
            copied = path.parent / target
            copied.parent.mkdir(exist_ok=True)
            shutil.copyfile(Path(self.srcdir, source), copied)


class Page:
    """One page in the making: blocks and what stands in lines, written by kind of node."""

    def __init__(self, builder: UpstreamBuilder, docname: str, together: set[str]) -> None:
        self._builder, self._env, self._docname = builder, builder.env, docname
        #: Where pages are that are written too.
        self._together = together
        labels = builder.env.domains["std"].anonlabels
        self._labels: dict[str, list[str]] = {}
        for label, (where, identity) in labels.items():
            if where == docname:
                self._labels.setdefault(identity, []).append(label)
        self._level = 0
        #: The paragraph that ends with the footnote about all figures, and the other footnotes.
        self._noted: Node | None = None
        self._notes: list[str] = []
        #: Where each image is, by its place among the sources and beside the page.
        self.images: dict[str, str] = {}

    def written(self, document: nodes.document) -> str:
        """Return the text of the page; one with figures says in a footnote whence they are."""
        if self._docname in pages.all_pages(self._env):
            first = (p for p in document.findall(nodes.paragraph) if _is_running_text(p))
            self._noted = next(first, None)
        text = self.blocks(document.children)
        notes = [f"[#{_FOOTNOTE}] {_note()}"] if self._noted is not None else []
        notes += [f"[#] {note}" for note in self._notes]
        if notes:
            listed = "\n\n".join(indented(f".. {note}", 1) for note in notes)
            text = f"{text}\n\n{directive('rubric', 'Footnotes')}\n\n{listed}"
        return f"{text}\n"

    def note(self, text: str) -> str:
        """Return the mark of a footnote; its text stands at the end of the page."""
        self._notes.append(plain_paragraph(text))
        return "[#]_"

    def blocks(self, found: Iterable[Node]) -> str:
        """Return blocks one below the other; nothing takes a quotation for a part of itself."""
        text = ""
        for written in filter(None, map(self.block, found)):
            last = text[text.rfind("\n\n") + 2 if "\n\n" in text else 0 :]
            apart = "..\n\n" if written[0] == " " and _TAKES_MORE.match(last) else ""
            text += f"\n\n{apart}{written}" if text else written
        return text

    # What stands in lines ---------------------------------------------------------------------

    def line(self, node: Element) -> str:
        """Return what a node holds as text, with its markup parted from letters around it."""
        text = ""
        was_markup = False
        for child in node.children:
            written = self.inline(child)
            is_markup = written != escaped(child.astext())
            touch = (was_markup and not _CLOSED.match(written)) or (
                is_markup and not _OPENED.search(text)
            )
            if text and written and touch:
                text += "\\ "
            text += written
            was_markup = is_markup if written else was_markup
        return text

    @functools.singledispatchmethod
    def inline(self, node: Any) -> str:
        """Return one node of a line; of what is not known, what it holds."""
        for kind, (before, after) in _AROUND.items():
            if isinstance(node, kind):
                return f"{before}{escaped(node.astext())}{after}"
        return "" if isinstance(node, _SILENT) else self.line(node)

    @inline.register(nodes.target)
    def _place(self, node: nodes.target) -> str:
        return self.line(node)  # the words that others refer to, which stay words

    @inline.register(ClaimMark)
    def _verdict(self, node: ClaimMark) -> str:
        """Put the figures behind a statement that holds into a footnote."""
        if node["verdict"] is not Verdict.HOLDS:
            return escaped(node.astext())
        return self.note(node.astext().removeprefix("[").removesuffix("]"))

    @inline.register(nodes.image)
    def _image_in_line(self, node: nodes.image) -> str:
        self._warn(node)
        return escaped(node.get("alt", ""))

    @inline.register(nodes.Text)
    def _text(self, node: nodes.Text) -> str:
        return escaped(node.astext())

    @inline.register(nodes.literal)
    def _literal(self, node: nodes.literal) -> str:
        return f"``{node.astext()}``"

    @inline.register(nodes.math)
    def _math(self, node: nodes.math) -> str:
        return f":math:`{node.astext()}`"

    @inline.register(nodes.footnote_reference)
    def _footnote_reference(self, node: nodes.footnote_reference) -> str:
        return f"[{node.astext()}]_"

    @inline.register(nodes.reference)
    def _reference(self, node: nodes.reference) -> str:
        text, uri = node.astext(), node.get("refuri", "")
        if not uri:
            return f"`{escaped(text)}`_"  # a title of the same page
        return uri if text == uri else f"`{escaped(text)} <{uri}>`__"

    @inline.register(addnodes.pending_xref)
    def _role(self, node: addnodes.pending_xref) -> str:
        """Keep what other documentations resolve; link to, or name, what this one does."""
        kind, target = node["reftype"], node["reftarget"]
        name, text = node["refdomain"], node.astext().removesuffix("()")
        found = self._found(node)
        is_here = found is not None and self._is_here(found)
        if found is None or (name == "std" and is_here):
            prefix = "" if name in ("", "std", "py") else f"{name}:"
            if node.get("refexplicit"):
                return f":{prefix}{kind}:`{escaped(text)} <{target}>`"
            shortened = name == "py" and text != target and target.endswith(f".{text}")
            return f":{prefix}{kind}:`{'~' * shortened}{target}`"
        title = escaped(found.astext())
        if self._builder.config.html_baseurl and not is_here:
            return f"`{title} <{found['refuri']}>`__"
        return title if node.get("refexplicit") else f"*{title}*"

    def _found(self, node: addnodes.pending_xref) -> Any:
        """Return the reference to a place of this site; None if it is not of this site."""
        domain = self._env.domains[node["refdomain"]] if node["refdomain"] else None
        if domain is None:
            return None
        kind, target, content = node["reftype"], node["reftarget"], node.children[0]
        return domain.resolve_xref(
            self._env, self._docname, self._builder, kind, target, node, content.deepcopy()
        )

    def _is_here(self, found: Element) -> bool:
        return bool(found.get("refid")) or found["refuri"].partition("#")[0] in self._together

    # Blocks -----------------------------------------------------------------------------------

    @functools.singledispatchmethod
    def block(self, node: Any) -> str:
        """Return one block; of what is not known, a warning, and what it holds."""
        if isinstance(node, nodes.Admonition):
            return self._admonition(node)
        if isinstance(node, _SILENT):
            return ""
        self._warn(node)
        return self.blocks(node.children)

    @staticmethod
    def _warn(node: Element) -> None:
        logger.warning(
            "%s has no reStructuredText that others could read",
            node.tagname,
            location=node,
            type="measured",
            subtype="upstream",
        )

    @block.register(nodes.section)
    def _section(self, node: nodes.section) -> str:
        title = self.line(next(iter(node.findall(nodes.title))))
        rule = _LINES[min(self._level, len(_LINES) - 1)] * max(column_width(title), 4)
        heading = f"{title}\n{rule}" if self._level else f"{rule}\n{title}\n{rule}"
        self._level += 1
        below = self.blocks(node.children)
        self._level -= 1
        return f"{heading}\n\n{below}"

    @block.register(nodes.target)
    def _target(self, node: nodes.target) -> str:
        labels = self._labels.get(node.get("refid", ""), ())
        return "\n".join(f".. _{label}:" for label in labels)

    @block.register(nodes.paragraph)
    def _paragraph(self, node: nodes.paragraph) -> str:
        text = self.line(node)
        if node is self._noted:
            text = f"{text} [#{_FOOTNOTE}]_"
        return paragraph(text)

    @block.register(nodes.container)
    @block.register(nodes.compound)
    def _container(self, node: Element) -> str:
        caption_node = next((c for c in node.children if isinstance(c, nodes.caption)), None)
        if caption_node is not None:  # of a code block
            block = next(iter(node.findall(nodes.literal_block)))
            return self._code(block, f":caption: {self.line(caption_node)}")
        blocks = [child for child in node.children if isinstance(child, nodes.literal_block)]
        if "pasted" in node["classes"] and len(blocks) > 1:
            folded = directive("dropdown", "Imports and helpers", (), self.block(blocks[0]))
            return f"{folded}\n\n{self.blocks(blocks[1:])}"
        return self.blocks(node.children)

    @block.register(nodes.literal_block)
    def _literal_block(self, node: nodes.literal_block) -> str:
        return self._code(node)

    def _code(self, node: Element, *options: str) -> str:
        language = node.get("language", "")
        if language not in _languages():
            language = language and "text"
        options = (*options, *([":linenos:"] if node.get("linenos") else ()))
        return directive("code-block", language, options, node.astext().strip("\n"))

    @block.register(nodes.doctest_block)
    def _doctest(self, node: nodes.doctest_block) -> str:
        return node.astext()

    @block.register(nodes.math_block)
    def _math_block(self, node: nodes.math_block) -> str:
        return directive("math", "", (), node.astext().strip())

    @block.register(nodes.bullet_list)
    @block.register(nodes.enumerated_list)
    def _list(self, node: Element) -> str:
        items = []
        for number, item in enumerate(node.children, node.get("start", 1)):
            mark = "- " if isinstance(node, nodes.bullet_list) else f"{number}. "
            held = textwrap.indent(self.blocks(item.children), " " * len(mark))
            items.append(mark + held[len(mark) :])
        return "\n".join(items) if all("\n\n" not in i for i in items) else "\n\n".join(items)

    @block.register(nodes.definition_list)
    def _definitions(self, node: nodes.definition_list) -> str:
        return "\n\n".join(
            f"{' : '.join(map(self.line, terms))}\n{indented(self.blocks(definition.children))}"
            for *terms, definition in _children(node)
        )

    @block.register(nodes.field_list)
    def _fields(self, node: nodes.field_list) -> str:
        return "\n".join(
            f":{self.line(name)}: {indented(self.blocks(body.children), 1)}"
            for name, body in _children(node)
        )

    @block.register(nodes.line_block)
    def _lines(self, node: nodes.line_block) -> str:
        return "\n".join(f"| {self.line(line)}" for line in node.findall(nodes.line))

    @block.register(nodes.block_quote)
    def _quote(self, node: nodes.block_quote) -> str:
        return textwrap.indent(self.blocks(node.children), INDENT)

    @block.register(nodes.transition)
    def _transition(self, _node: nodes.transition) -> str:
        return "-" * 4

    @block.register(nodes.rubric)
    def _rubric(self, node: nodes.rubric) -> str:
        return directive("rubric", self.line(node))

    @block.register(nodes.footnote)
    def _footnote(self, node: nodes.footnote) -> str:
        label = next(iter(node.findall(nodes.label))).astext()
        return f".. [{label}] {indented(self.blocks(node.children), 1)}"

    def _admonition(self, node: Any) -> str:
        title = next((self.line(c) for c in node.children if isinstance(c, nodes.title)), "")
        return directive(node.tagname, title, (), self.blocks(node.children))

    @block.register(nodes.image)
    def _image(self, node: nodes.image) -> str:
        return directive("image", *self._drawn(node))

    @block.register(nodes.figure)
    def _figure(self, node: nodes.figure) -> str:
        image = next(iter(node.findall(nodes.image)))
        told = [paragraph(self.line(c)) for c in node.children if isinstance(c, nodes.caption)]
        told += [self.blocks(c.children) for c in node.children if isinstance(c, nodes.legend)]
        return directive("figure", *self._drawn(image), "\n\n".join(told))

    def _drawn(self, node: Element) -> tuple[str, list[str]]:
        """Return where an image will be, and its options; it is to be copied there."""
        uri = node["uri"]
        if "://" not in uri:
            uri = self.images.setdefault(uri, f"{_IMAGES}/{uri.replace('/', '-')}")
        names = [name for name in ("alt", "width", "height", "scale", "align") if name in node]
        return uri, [f":{name}: {' '.join(str(node[name]).split())}" for name in names]

    @block.register(nodes.raw)
    def _raw(self, node: nodes.raw) -> str:
        """Write the tables that are made for pages; what else is for one format is left out."""
        return self._measured_table(node["table"], node["caption"]) if "table" in node else ""

    def _measured_table(self, table: Table, text: str) -> str:
        """Return a table of figures, the least of each column in bold, with its remarks."""
        if any(isinstance(c, Amount) and c.least for row in table.rows for c in row):
            text += (
                " Bold marks the least of a column, and figures so close to it that the repeats "
                "cannot tell them apart."
            )
        rows = [[_name(text) if "_" in text else plain_paragraph(text) for text in table.headings]]
        for name, *cells in table.rows:
            rows.append([_name(plain(name)), *map(self._figure_cell, cells)])
        return list_table(escaped(text), rows, [":header-rows: 1", ":stub-columns: 1"])

    def _figure_cell(self, cell: Cell) -> str:
        text = plain_paragraph(plain(cell))
        if isinstance(cell, Amount) and cell.least:
            text = f"**{text}**"
        remark = getattr(cell, "remark", "")
        return f"{text} {self.note(remark)}" if remark else text

    @block.register(nodes.table)
    def _docutils_table(self, node: nodes.table) -> str:
        if any("morecols" in e or "morerows" in e for e in node.findall(nodes.entry)):
            self._warn(node)  # a list-table has no cells that span others
        rows = [
            [self.blocks(entry.children) for entry in row.findall(nodes.entry)]
            for row in node.findall(nodes.row)
        ]
        heads = sum(len(head.children) for head in node.findall(nodes.thead))
        options = [f":header-rows: {heads}"]
        if "colwidths-given" in node["classes"]:
            widths = (str(column["colwidth"]) for column in node.findall(nodes.colspec))
            options.append(f":widths: {' '.join(widths)}")
        title = next((self.line(c) for c in node.children if isinstance(c, nodes.title)), "")
        return list_table(title, rows, options)


def _children(node: Any) -> list[Any]:
    """Return what each child of a list holds."""
    return [item.children for item in node.children]


def _is_running_text(node: Element) -> bool:
    return isinstance(node.parent, nodes.section) and not pages.is_absent(node)


def _note() -> str:
    """Return machine, versions, file and days of all figures, and what wrote the page."""
    found = pages.lookup()
    days = sorted({result.measured_at[:10] for result in found.store.all()} or {"never"})
    span = f"{days[0]} to {days[-1]}" if len(days) > 1 else days[0]
    version = importlib.metadata.version("neuroimaging-performance")
    text = (
        f"Every figure of this page was measured: {caption(found.data, found.provenance)} "
        f"Measured {span}. Written by neuroimaging-performance {version}."
    )
    return plain_paragraph(text)


def _name(text: str) -> str:
    """Return the name of a row or a column, as code where it is that of a function."""
    return f"``{text}``" if re.sub("[.@]", "", text).isidentifier() else plain_paragraph(text)


@functools.cache
def _languages() -> set[str]:
    """Return the languages that every Pygments can colour, without what is installed besides."""
    return {alias for _, aliases, *_ in get_all_lexers(plugins=False) for alias in aliases}


def setup(app: Sphinx) -> None:
    """Register the builder and its setting."""
    app.add_config_value("measured_upstream", [], "", frozenset({list}))
    app.add_builder(UpstreamBuilder)
