"""Text as reStructuredText is read as it was, whatever is in it."""

import docutils.core
import pytest
from docutils import nodes
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.report import markup


def read(text):
    """Return a text as docutils reads it."""
    options = {"report_level": 5, "halt_level": 5}
    return docutils.core.publish_doctree(text, settings_overrides=options)


LETTERS = st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=["C", "Z"])


@given(st.text(LETTERS | st.sampled_from(r" *_`|\:-.<>[]#=()"), min_size=1, max_size=200))
def test_any_text_is_read_as_it_was(text):
    text = " ".join(text.split())
    page = read(markup.plain_paragraph(text))
    assert page.astext().replace("\n", " ") == text
    assert all(isinstance(node, nodes.paragraph) for node in page.children)


@pytest.mark.parametrize("line", ["!!!!", "~~~~", "((((", "\\\\", "----", "=" * 90])
def test_a_line_of_punctuation_is_no_rule(line):
    for text in (line, f"a {line}", f"{'x ' * 40}{line}", f"{'x' * 78} {line} {'y' * 78} {line}"):
        page = read(markup.plain_paragraph(text))
        assert page.astext().split() == text.split()
        assert [type(node) for node in page.children] == [nodes.paragraph]


@pytest.mark.parametrize("text", ["", "– x", "-5", "1. a", "*a* `b` |c| d_", "a\n\nb"])
def test_cells_of_a_table_are_read_as_they_were(text):
    cells = [["a_b", "c"], ["", "\n\n".join(map(markup.plain_paragraph, text.split("\n\n")))]]
    page = read(markup.list_table("*Title*", cells, [":header-rows: 1"]))
    found = [entry.astext() for entry in page.findall(nodes.entry)]
    assert found == ["a_b", "c", "", text]
    assert page.next_node(nodes.title).astext() == "Title"
