"""The built site; where there is none, ``make test`` builds it."""

from html.parser import HTMLParser

import pytest

from benchmarks.files import BUILD, REFERENCE

SITE = BUILD / "html"

if not (SITE / "index.html").exists():
    pytest.skip("there is no built site; make test builds it", allow_module_level=True)

PAGES = sorted(path for path in SITE.rglob("*.html") if "_static" not in path.parts)

#: Attributes that make a browser fetch something by itself; a link waits for a click.
FETCHED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "object": "data"}


class Fetches(HTMLParser):
    def __init__(self):
        super().__init__()
        self.addresses = []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag in FETCHED and attrs.get("rel") not in ("canonical", "prev", "next", "author"):
            self.addresses.append(attrs.get(FETCHED[tag]) or "")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(SITE)))
def test_a_page_fetches_nothing_from_outside(path):
    fetches = Fetches()
    fetches.feed(path.read_text())
    assert [a for a in fetches.addresses if a.startswith(("http:", "https:", "//"))] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(SITE)))
def test_a_page_has_no_missing_figure(path):
    text = path.read_text()
    assert 'class="figure-missing"' not in text
    assert "Traceback" not in text


def test_the_array_image_is_drawn_left_and_the_proxy_image_right():
    import re

    text = (SITE / "performance_comparison.html").read_text()
    svg = text[text.index("<svg role=") : text.index("</svg>", text.index("<svg role="))]
    left = {}
    for label in ("Array image", "Proxy image"):
        node = svg[: svg.index(f">{label}<")]
        left[label] = float(re.findall(r'class="node[^>]*translate\(([\d.-]+)', node)[-1])
    assert left["Array image"] < left["Proxy image"]


def test_the_parts_of_every_peak_add_up_to_it():
    from benchmarks.comparisons import tools
    from benchmarks.images.image import Image
    from benchmarks.results import store

    # With MEASURE=0 the site shows the reference results.
    folders = BUILD / "results", REFERENCE
    files = [path for folder in folders for path in sorted(folder.glob("*.json"))]
    runs = [
        run
        for path in files
        for result in store.read(path, Image)[2]
        if result.task != tools.TASK
        for run in result.memory_runs
    ]
    assert runs
    for run in runs:
        assert run.private_bytes + run.shared_bytes + run.shmem_bytes == run.peak_bytes
