"""What pages showed: one is made again when a figure may have changed, or after a problem."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.errors import ConfigError
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from benchmarks import files, project
from benchmarks.claims.claim import Claim, Verdict
from benchmarks.comparisons import ahead, shown
from benchmarks.comparisons.shown import State
from benchmarks.comparisons.site import Site
from benchmarks.errors import AbsentError, BenchmarkError, FigureError
from benchmarks.images.workspace import Workspace
from benchmarks.releases import environments, machines
from benchmarks.releases.changes import Across
from benchmarks.results.store import CONVERTER
from benchmarks.runner.schedule import Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from docutils.nodes import Node, system_message
    from sphinx.application import Sphinx
    from sphinx.config import Config
    from sphinx.environment import BuildEnvironment

    from benchmarks.claims.judge import Judgement
    from benchmarks.claims.lookup import Lookup
    from benchmarks.report.table import Table

logger = logging.getLogger(__name__)

#: What sphinx-gallery puts beside an example that was executed, and what we do.
_MARK, _SHOWN = ".py.md5", ".py.shown"

#: The extension of the project's own chapter.
_CHAPTER = "benchmarks.sphinxext.chapter"

#: What `measured_when` of a conf.py can say.
_CHANGED, _NEVER = "changed", "never"

#: Style sheets of a conf.py have priority 800.
_BEHIND_OTHERS = 900

#: Formats of builders that take a table as it is: a page, and what goes upstream.
_WITH_TABLES = ("html", "rst")

#: Classes of what stands in the place of a figure.
_ABSENT, _MISSING = "figure-absent", "figure-missing"

_lookup: Lookup | None = None


@dataclass
class Page:
    """What one page showed: the results' digest (empty after a problem), and judged claims."""

    digest: str
    claims: list[tuple[Claim, Judgement]] = field(default_factory=list)
    #: Of a page that lists the claims of all: digest of those, empty before it is written.
    listed: str | None = None


def check_file(_app: Sphinx, _config: Config) -> None:
    """Refuse a file that is unfit, before anything is measured on it."""
    try:
        Workspace.ready()
    except BenchmarkError as error:
        raise ConfigError(str(error)) from error


def withdraw(app: Sphinx) -> None:
    """Have sphinx-gallery execute the examples that would not show the same as the last time.

    It executes what has no mark (``.md5``), or another code than that says. Beside the mark is
    the digest of all else that an example showed.
    """
    gallery = getattr(app.config, "sphinx_gallery_conf", {})
    if not gallery:
        return
    try:
        state = State.now()
    except BenchmarkError as error:
        raise ConfigError(str(error)) from error
    tasks: set[str] = set()
    for path, made in _examples(gallery):
        last = made.with_suffix(_SHOWN)
        there = made.with_suffix(".rst").exists() and last.exists()
        if state.is_due(path) or not there or last.read_text() != state.of(path):
            last.unlink(missing_ok=True)
            made.with_suffix(_MARK).unlink(missing_ok=True)
            tasks |= state.measured_by(path)
    if tasks:
        ahead.expect(tasks, state.workspace, Plan.of())


def remember(gallery: Mapping[str, Any], name: str | None, when: str) -> None:
    """Write down what an example rested on, once it was executed without an error."""
    for path, made in _examples(gallery):
        if (path.name, when) == (name, "after") and made.with_suffix(_MARK).exists():
            made.with_suffix(_SHOWN).write_text(State.now().of(path))


def _examples(gallery: Mapping[str, Any]) -> list[tuple[Path, Path]]:
    """Return the examples of a gallery, and the copy that it made of each."""
    folder = Path(gallery["src_dir"])
    target = folder / gallery["gallery_dirs"]
    paths = (folder / gallery["examples_dirs"]).resolve().glob("plot_*.py")
    return [(path, target / path.name) for path in paths]


def begin(app: Sphinx) -> None:
    """Open the results: of the chapter once the gallery has measured, or of another project.

    That one has said in its conf.py:

    - ``measured_examples``: the folder of the files with ``METHODS``
    - ``measured_results``: the file with the results
    - ``measured_when``: ``"changed"``, or ``"never"``, which shows the file as it is
    - ``measured_claims_file``: where all claims are written, if they are
    - ``measured_strict``: whether a claim that is contradicted is a warning
    """
    global _lookup  # noqa: PLW0603 - not in the environment, which is pickled between builds
    across.cache_clear()
    digest.cache_clear()
    try:
        _lookup = Site.in_use() if _CHAPTER in app.extensions else _of_project(app)
    except BenchmarkError as error:
        raise ConfigError(str(error)) from error


def _of_project(app: Sphinx) -> Lookup:
    """Measure for another project what has changed, and open its results."""
    config, folder = app.config, Path(app.confdir)
    if config.measured_when not in (_CHANGED, _NEVER):
        raise ConfigError(
            f"measured_when is {config.measured_when!r}; it can be {_CHANGED!r} or {_NEVER!r}."
        )
    examples = (folder / config.measured_examples).resolve()
    if not config.measured_examples or not examples.is_dir():
        raise ConfigError(
            f"measured_examples of conf.py has to name a folder with examples; {examples} is none."
        )
    measuring = config.measured_when == _CHANGED and files.measuring()
    target = folder / config.measured_results
    return project.opened(config.project, examples, target, measuring=measuring)


def lookup() -> Lookup:
    """Return the results that this build shows."""
    if _lookup is None:
        raise ConfigError("Figures are asked for before the build has begun.")
    return _lookup


def site() -> Site:
    """Return the results that the chapter shows."""
    found = lookup()
    if not isinstance(found, Site):
        raise ConfigError(f"This needs the extension {_CHAPTER}, and BOLD runs.")
    return found


@functools.cache
def across() -> Across:
    """Return the same methods under several releases; raises FigureError if there are none."""
    if not isinstance(lookup(), Site):
        raise FigureError("No releases are compared for this project.")
    return Across.in_use()


@functools.cache
def digest() -> str:
    """Return the digest of all that pages can show; empty while there are no results."""
    found = lookup().all_digest()
    paths = machines.paths() if isinstance(lookup(), Site) else []
    for folder in (environments.releases_folder(), files.REFERENCE):
        paths += folder.rglob("*.json")
    parts = (found, str(lookup().is_reference), shown.code_digest(), shown.content_digest(paths))
    return found and hashlib.sha256(" ".join(parts).encode()).hexdigest()


def all_pages(env: BuildEnvironment) -> dict[str, Page]:
    """Return what each page showed, by document name."""
    if not hasattr(env, "measured_pages"):
        env.measured_pages = {}  # type: ignore[attr-defined]
    pages: dict[str, Page] = env.measured_pages  # type: ignore[attr-defined]
    return pages


def all_claims(env: BuildEnvironment) -> list[tuple[Claim, Judgement]]:
    """Return the claims of all pages, in the same order whichever were read again."""
    return [entry for _, page in sorted(all_pages(env).items()) for entry in page.claims]


def this_page(env: BuildEnvironment) -> Page:
    """Return the record of the page being read; it shows figures from now on."""
    return all_pages(env).setdefault(env.docname, Page(digest()))


def problem(env: BuildEnvironment, message: str, location: Any) -> None:
    """Report a figure that cannot be shown, and have the page read again next time."""
    this_page(env).digest = ""
    logger.warning(message, location=location, type="measured", subtype="figure")


def outdated(
    app: Sphinx, env: BuildEnvironment, added: set[str], _changed: set[str], _removed: set[str]
) -> Sequence[str]:
    """Return pages whose figures may be others now, and those of examples that were executed."""
    now = digest()
    old = {name for name, page in all_pages(env).items() if page.digest != now or not now}
    gallery = getattr(app.config, "sphinx_gallery_conf", {})
    executed = map(Path, gallery.get("passing_examples", ()))
    drawn = {f"{gallery['gallery_dirs']}/{path.stem}" for path in executed}
    return sorted((old | drawn) & env.found_docs - added)


def updated(_app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Return the pages that list the claims of others, if those are not as they were listed."""
    claims = [claim for claim, _ in all_claims(env)]
    now = hashlib.sha256(f"{digest()} {claims}".encode()).hexdigest()
    behind = [name for name, page in all_pages(env).items() if page.listed not in (None, now)]
    for name in behind:
        all_pages(env)[name].listed = now
    return behind


def purge(_app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    """Forget a page that is read again or gone."""
    all_pages(env).pop(docname, None)


def merge(
    _app: Sphinx, env: BuildEnvironment, docnames: Sequence[str], other: BuildEnvironment
) -> None:
    """Take over the pages that another process read."""
    theirs = all_pages(other)
    all_pages(env).update({name: theirs[name] for name in docnames if name in theirs})


def finish(app: Sphinx, failure: Exception | None) -> None:
    """Write all claims down for ``make check``, and name those that are contradicted."""
    if failure is not None:
        return
    claims = all_claims(app.env)
    if app.config.measured_claims_file:
        path = Path(app.confdir) / app.config.measured_claims_file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            json.dumps(CONVERTER.unstructure([claim for claim, _ in claims]), indent=1)
        )
    for claim, found in claims:
        if found.verdict is Verdict.CONTRADICTED:
            line = f"{claim.place}: contradicted: {claim.text} Measured: {found.value}."
            if app.config.measured_strict:
                logger.warning(line, type="measured", subtype="claim")
            else:  # a reader's machine may differ, and the build is sound
                logger.info(line, color="red")


class MeasuredDirective(SphinxDirective):
    """A directive whose figures may be missing."""

    def run(self) -> list[Node]:
        """Return the content, or a note in its place and a warning."""
        this_page(self.env)
        try:
            return self.measured()
        except AbsentError as error:  # too much for this machine, and no fault of the page
            return [nodes.paragraph("", f"[{error}]", classes=[_ABSENT])]
        except FigureError as error:
            problem(self.env, str(error), self.get_location())
            return [nodes.paragraph("", f"[{error}]", classes=[_MISSING])]

    def measured(self) -> list[Node]:
        """Return the content; raises FigureError if it is missing, stale or not understood."""
        raise NotImplementedError


class MeasuredRole(SphinxRole):
    """A role whose figure may be missing."""

    def run(self) -> tuple[list[Node], list[system_message]]:
        """Write the figure; one that is missing or stale is a warning and red text."""
        this_page(self.env)
        try:
            text = self.written()
        except AbsentError as error:  # too much for this machine, and no fault of the page
            return [nodes.inline(self.rawtext, f"[{error}]", classes=[_ABSENT])], []
        except FigureError as error:
            problem(self.env, str(error), self.get_location())
            return [nodes.inline(self.rawtext, f"[{error}]", classes=[_MISSING])], []
        return [figure(text, self.rawtext)], []

    def written(self) -> str:
        """Return the figure; raises FigureError if it is missing, stale or not understood."""
        raise NotImplementedError


def is_absent(node: nodes.Element) -> bool:
    """Tell whether a node stands in the place of a figure."""
    return not {_ABSENT, _MISSING}.isdisjoint(node["classes"])


def figure(text: str, source: str = "") -> nodes.Element:
    """Return a figure as a sentence has it; one of the reference machine says so."""
    store = lookup().store
    if store.is_reference:
        said = {"explanation": store.provenance.cpu, "classes": ["figure"]}
        return nodes.abbreviation(source, text, **said)
    return nodes.inline(source, text, classes=["figure"])


def table_node(
    table: Table, caption: str, *, classes: Sequence[str] = (), identity: str = ""
) -> nodes.raw:
    """Return a table as a page has it; what is no page finds the table itself there."""
    markup = table.html(caption, classes=classes, identity=identity)
    return nodes.raw("", markup, format="html", table=table, caption=caption)


def write_tables(app: Sphinx, doctree: nodes.document, _docname: str) -> None:
    """Have tables as text where a builder knows no HTML, such as LaTeX."""
    if app.builder.format not in _WITH_TABLES:
        for node in list(doctree.findall(nodes.raw)):
            if "table" in node:
                text = f"{node['table'].text()}\n\n{node['caption']}"
                node.replace_self(nodes.literal_block(text, text, language="text"))


def add_form(
    app: Sphinx, kind: type[nodes.Element], visit: Callable[..., None], *scripts: str
) -> None:
    """Register what is a form on a web page, with its scripts, and nothing anywhere else."""

    def skip(*_: Any) -> None:
        raise nodes.SkipNode

    def add_scripts(*words: Any) -> None:
        doctree: nodes.document | None = words[-1]
        if doctree is not None and next(iter(doctree.findall(kind)), None) is not None:
            for script in scripts:
                app.add_js_file(script, loading_method="defer")

    app.add_node(kind, html=(visit, None), latex=(skip, None), text=(skip, None))
    app.connect("html-page-context", add_scripts)


def add_styles(app: Sphinx) -> None:
    """Bring the style sheet along to whichever theme."""
    app.config.html_static_path.append(str(Path(__file__).with_name("static")))


def setup(app: Sphinx) -> None:
    """Register the settings and the style sheet."""
    app.connect("builder-inited", add_styles)
    app.add_css_file("figures.css", priority=_BEHIND_OTHERS)
    for name, default in (
        ("measured_examples", ""),
        ("measured_results", "measured.json"),
        ("measured_when", _CHANGED),
    ):
        app.add_config_value(name, default, "env", frozenset({str}))
    app.add_config_value("measured_claims_file", "", "", frozenset({str}))
    app.add_config_value("measured_strict", False, "", frozenset({bool}))  # noqa: FBT003
