"""Pages as plain reStructuredText: what another documentation builds, without anything of ours."""

import io
import re
import shutil
import zlib

import pytest
import small_site
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from benchmarks import compare
from benchmarks.images import variants
from benchmarks.sphinxext import chapter
from benchmarks.tasks import task as task_module

EXAMPLE = '''
import time
import nibabel as nib

SECONDS = 0.05

def opened(fmri_path):
    return nib.load(fmri_path)

def quick(fmri_path):
    """Open it."""
    return opened(fmri_path)

def slow_one(fmri_path):
    """Wait, and open it."""
    time.sleep(SECONDS)
    return opened(fmri_path)

METHODS = [quick, slow_one]
'''

MEASURED = """
.. _the_title:

Figures, and *where* they are from
==================================

A run of :func:`nilearn.image.mean_img` took :measured:`small.slow_one.time`, which is
:ratio:`small.slow_one.time / small.quick.time` times as long. :doc:`other` says more, and so does
nibabel's page on :doc:`images <nibabel:images_and_memory>`; see also :ref:`below <the_rest>`.

.. only:: upstream

   This is for others.

.. only:: not upstream

   This is for the site.

.. measurements:: small

.. claim:: small
   :faster: quick
   :than: slow_one
   :at-least: 1

   ``quick`` is twice as *fast*.

.. snippet:: small.slow_one

.. recipe:: small.opened

.. parts:: small

.. growth:: small
   :methods: quick

.. mermaid::
   :alt: From a to b.

   flowchart TD
       a --> b

.. figure:: drawn.png
   :alt: A plot of
         two lines

   What it shows: a_b*c.

.. literalinclude:: drawn.txt

.. code-block:: ipython

   %load_ext memory_profiler

.. _the_rest:

The rest
--------

.. provenance::
"""

MARKUP = r"""
Title
=====

Some *emphasis*, **strong words**, ``lite_ral \ with``, a `link <https://example.org/a_>`__, H\
:sub:`2`\ O, **one**\ :sup:`2`\ two, and trailing_ words\ *s*. A *-sign,
a \`tick\`, `code`, |, 2*3*4, _x_.

.. _trailing: https://example.org/

"Quotes", and --- dashes... https://example.org/plain, and a\_\ note. [1]_ :func:`abs`,
:func:`~os.path.join`, :py:func:`its name <os.getcwd>`.

\1. Not a list.

\- Nor this.

It ends like this:\:

.. [1] A footnote, with two

   paragraphs.

- one
- two

  - inner

    more

3. three
4. four

term
   What it means.

:field: A value that is long enough to be broken into several lines, as it has so many words in
   it.

.. note:: Take *care*.

.. rubric:: Aside

====  =======
a     b_
====  =======
``x`` \*
y     - z
====  =======

    A quotation.

.. math:: a + b

::

   as it is *here*

>>> 1 + 1
2

.. _a_label:

Second, with :math:`x_i`
------------------------

| line one
| line two

.. container:: whatever

   Held.

.. comment

Third
~~~~~
Fourth
^^^^^^
Down here.
"""

#: Directives that the documentation of nilearn has, from docutils, Sphinx and its extensions.
KNOWN = {
    "code-block", "dropdown", "figure", "image", "list-table", "math", "mermaid", "note", "rubric",
}  # fmt: skip


def inventory(path):
    """Write an inventory of nibabel's documentation with the one page that is referred to."""
    line = b"images_and_memory std:doc -1 images_and_memory.html Images and memory\n"
    path.write_bytes(chapter._HEAD.format(name="nibabel").encode() + zlib.compress(line))


def built(folder, builder, *, page="index", **settings):
    """Build the sources in a folder; return its page as it was read, and all warnings."""
    warnings = io.StringIO()
    source, target = folder / "source", folder / builder
    inventory(folder / "nibabel.inv")
    common = {
        "extensions": [],
        "html_theme": "basic",
        "nitpicky": True,
        "intersphinx_mapping": {"nibabel": ("https://x.org", str(folder / "nibabel.inv"))},
    }
    with patch_docutils(str(source)), docutils_namespace():
        app = Sphinx(
            source,
            None,
            target,
            folder / "doctrees",
            builder,
            confoverrides=common | settings,
            status=None,
            warning=warnings,
        )
        app.build()
        return app.env.get_doctree(page), re.sub("\x1b\\[[0-9;]*m", "", warnings.getvalue())


#: What stands for sphinx_design and for nilearn's own pages in another documentation.
OTHER = """
from docutils.parsers.rst.directives.admonitions import Admonition

def setup(app):
    app.add_directive("dropdown", Admonition)
"""


def built_elsewhere(folder, written, monkeypatch):
    """Build what was written, in another documentation; return page and warnings."""
    source = folder / "source"
    shutil.copytree(written, source)
    (source / "others_design.py").write_text(OTHER)
    monkeypatch.syspath_prepend(source)
    api = "".join(
        f".. py:function:: {name}\n\n" for name in ("nilearn.image.mean_img", "abs", "os.getcwd")
    )
    (source / "api.rst").write_text(f":orphan:\n\nAPI\n===\n\n{api}.. py:function:: os.path.join")
    extensions = ["others_design", "sphinxcontrib.mermaid", "sphinx.ext.intersphinx"]
    return built(folder, "html", extensions=extensions, mermaid_output_format="raw")


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Measure a small task once for all tests here."""
    folder = tmp_path_factory.mktemp("measured")
    with small_site.measuring(folder, EXAMPLE) as (fmri_path, (quick, slow)):
        compare([quick, slow], fmri_path, runs=1)
        for name in ("short", *variants.LONGER):
            compare([quick], fmri_path, runs=1, form=name)
    return folder


@pytest.fixture
def site(tmp_path, monkeypatch, measured):
    """Return the folder of a small site with measured figures."""
    source = small_site.entered(measured, tmp_path, monkeypatch)
    (source / "index.rst").write_text(MEASURED)
    (source / "other.rst").write_text(":orphan:\n\nThe *other* page\n================\n")
    (source / "drawn.png").write_bytes(b"a drawing")
    (source / "drawn.txt").write_text("as it is in *the* file_\n")
    yield tmp_path
    task_module.task_named.cache_clear()


def written(site, **settings):
    """Write the page as text; return that, and its folder."""
    _, warnings = built(
        site,
        "upstream",
        extensions=["benchmarks.sphinxext.chapter", "sphinx.ext.intersphinx"],
        measured_upstream=["index"],
        nitpick_ignore=[("py:func", "nilearn.image.mean_img")],
        mermaid_config={"layout": "dagre"},
        **settings,
    )
    assert warnings == ""
    assert not (site / "upstream" / "other.rst").exists()
    return (site / "upstream" / "index.rst").read_text(), site / "upstream"


def test_figures_are_written_out_and_nothing_of_ours_is_left(site):
    text, folder = written(site)
    plain = " ".join(text.replace("\xa0", " ").split())
    assert re.search(r"took [\d.]+ ms, which is [\d.,]+ times as long", plain)
    assert re.search(r"\* - ``slow_one`` - ~?[\d.]+ - [\d.]+ to", plain)
    assert "``quick`` is twice as *fast*." in text
    assert "   time.sleep(SECONDS)\n" in text
    assert ".. code-block::\n\n   as it is in *the* file_" in text
    assert ".. dropdown:: Imports and helpers\n\n   .. code-block:: python\n\n      import" in text
    assert ".. code-block:: text\n\n   %load_ext memory_profiler" in text
    assert ".. mermaid::\n   :alt: From a to b.\n\n   flowchart TD\n       a --> b" in text
    assert set(re.findall(r"^ *\.\. ([a-z-]+)::", text, re.MULTILINE)) <= KNOWN
    roles = set(re.findall(r"(:[a-z:]+:)`", text))
    assert roles == {":func:", ":doc:", ":ref:"}
    assert "This is for others." in text
    assert "This is for the site." not in text
    assert (folder / "images" / "drawn.png").read_bytes() == b"a drawing"


def test_a_footnote_says_where_the_figures_are_from(site):
    text, _ = written(site)
    note = " ".join(text.partition(".. [#measured] ")[2].split())
    assert "8 x 7 x 6 x 5 voxels" in note
    assert re.search(r"nibabel [\d.]+, nilearn [\d.]+\. Measured \d{4}-\d\d-\d\d\. ", note)
    assert text.count("[#measured]_") == 1
    assert text.index("[#measured]_") < text.index(".. list-table::")


def test_it_is_built_elsewhere_without_a_warning(site, tmp_path, monkeypatch):
    _, folder = written(site)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    page, warnings = built_elsewhere(elsewhere, folder, monkeypatch)
    assert warnings == ""
    html = (elsewhere / "html" / "index.html").read_text()
    assert 'href="api.html#nilearn.image.mean_img"' in html
    assert 'href="https://x.org/images_and_memory.html"' in html
    assert 'href="#the-rest"' in html
    assert (elsewhere / "html" / "_images" / "drawn.png").exists()
    assert len(list(page.findall(nodes.table))) == 3
    assert page.next_node(nodes.caption).astext() == "What it shows: a_b*c."


@pytest.mark.parametrize(
    ("site_url", "said"),
    [
        ("", "*The other page* says more"),
        ("https://me.org/", "`The other page <https://me.org/other.html>`__ says more"),
    ],
)
def test_other_pages_of_the_site_are_linked_where_it_is_published(site, site_url, said):
    text, _ = written(site, html_baseurl=site_url)
    assert said in " ".join(text.split())


def read_again(tmp_path, monkeypatch, text):
    """Return a page as it was read, and as it is read again after it was written; and warnings."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "index.rst").write_text(text)
    once, _ = built(
        tmp_path, "upstream", extensions=["benchmarks.sphinxext.upstream"], default_role="code"
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    again, warnings = built_elsewhere(elsewhere, tmp_path / "upstream", monkeypatch)
    return once, again, warnings


def outline(page):
    """Return kind and text of all that a reader sees of a page."""
    kinds = (nodes.paragraph, nodes.title, nodes.literal, nodes.literal_block, nodes.emphasis)
    kinds += (nodes.strong, nodes.list_item, nodes.field, nodes.term, nodes.definition, nodes.line)
    kinds += (nodes.entry, nodes.note, nodes.math, nodes.math_block, nodes.footnote, nodes.rubric)
    found = [node for node in page.findall() if type(node) in kinds]
    return [(node.tagname, " ".join(node.astext().split())) for node in found]


def test_a_page_is_read_again_as_it_was(tmp_path, monkeypatch):
    once, again, warnings = read_again(tmp_path, monkeypatch, MARKUP)
    assert warnings == ""
    assert outline(again) == outline(once)


def test_what_cannot_be_written_is_a_warning_that_names_it(tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "index.rst").write_text("Title\n=====\n\n.. hlist::\n\n   - one\n")
    _, warnings = built(tmp_path, "upstream", extensions=["benchmarks.sphinxext.upstream"])
    assert "hlist has no reStructuredText that others could read" in warnings
    assert "one" in (tmp_path / "upstream" / "index.rst").read_text()
