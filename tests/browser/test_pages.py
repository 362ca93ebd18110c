"""Every page of the built site as readers have it: light, dark, on a phone, printed, offline."""

import io
import json
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import (
    DESK,
    PAPER,
    PHONE,
    SITE,
    chromium,
    need_site,
    resize,
    scrolled,
    tab,
    too_wide,
    width_of,
)
from matplotlib.image import imread

from benchmarks.files import BUILD
from benchmarks.report.families import FAMILIES

need_site()

PAGES = sorted(path for path in SITE.rglob("*.html") if "_static" not in path.parts)
CHAPTER = SITE / "performance_comparison.html"
SCREENSHOTS = BUILD / "screenshots"

#: What the chapter may weigh with all that it loads.
CHAPTER_BYTES = 600_000
#: How high it may be, 1280 pixels wide.
CHAPTER_PIXELS = 16_000


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


def name_of(path):
    return str(path.relative_to(SITE).with_suffix(""))


def screenshot(page, kind, path):
    folder = SCREENSHOTS / kind
    folder.mkdir(parents=True, exist_ok=True)
    # JPEG, which takes a third of the time of PNG.
    page.screenshot(path=folder / f"{name_of(path).replace('/', '_')}.jpeg", full_page=True)


def serious_faults(page, scheme):
    """Return what keeps people from using a page; in the dark, what is new there: its colours."""
    options = {"resultTypes": ["violations"]}
    if scheme == "dark":
        options["runOnly"] = ["color-contrast", "link-in-text-block"]
    found = Axe().run(page, options=options).response["violations"]
    return [fault for fault in found if fault["impact"] in {"serious", "critical"}]


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_a_page_is_whole_quiet_open_to_all_and_fits_on_a_phone_and_on_paper(browser, path):
    page = tab(browser)
    page.goto(path.as_uri())
    widths, faults, wide = {}, {}, {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        screenshot(page, scheme, path)
    wide["desk"] = [*too_wide(page), *scrolled(page)]
    page.emulate_media(color_scheme="light")
    resize(page, PHONE)
    screenshot(page, "phone", path)
    widths["phone"], wide["phone"] = width_of(page), too_wide(page)
    resize(page, PAPER)
    page.emulate_media(media="print")
    widths["paper"] = width_of(page)
    page.wait_for_load_state("networkidle")
    requests, problems = list(page.requests), list(page.problems)
    # From here on style sheets are asked for, which browsers refuse for files.
    resize(page, DESK)
    for scheme in ("light", "dark"):
        page.emulate_media(media="screen", color_scheme=scheme)
        faults[scheme] = serious_faults(page, scheme)
    page.context.close()
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert problems == []
    assert faults == {"light": [], "dark": []}, json.dumps(faults, indent=1)[:4000]
    assert wide == {"desk": [], "phone": []}
    assert widths["phone"] <= PHONE[0]
    assert widths["paper"] <= PAPER[0]


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_within_the_site_lead_somewhere(path):
    text = path.read_text()
    for address in re.findall(r'<a\b[^>]*?\bhref="([^"]+)"', text):
        parts = urlsplit(address.replace("&amp;", "&"))
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        assert target.is_file(), address
        if parts.fragment and target.suffix == ".html":
            found = text if target == path else target.read_text()
            assert f'id="{unquote(parts.fragment)}"' in found, address


def test_the_front_page_leads_to_what_is_asked_first(browser):
    page = tab(browser)
    page.goto((SITE / "index.html").as_uri())
    hrefs = page.locator("article a[href]").evaluate_all("links => links.map(a => a.href)")
    there = {unquote(urlsplit(href).path).rpartition("/")[2] for href in hrefs}
    assert {"your_own_data.html", "how_we_measure.html", "which_way.html"} <= there
    assert page.locator("article .finding").count() == 3
    assert page.locator("article img").evaluate("img => img.naturalWidth") > 0


def test_the_chapter_reads_without_a_script_and_is_light(browser):
    page = tab(browser, java_script_enabled=False)
    page.goto(CHAPTER.as_uri())
    assert page.locator("h1").is_visible()
    assert page.locator("table.measurements").first.is_visible()
    assert page.locator(".diagram svg").first.is_visible()
    page = tab(browser)
    page.goto(CHAPTER.as_uri())
    page.wait_for_load_state("networkidle")
    loaded = {unquote(urlsplit(url).path) for url in page.requests if url.startswith("file:")}
    weights = {path: Path(path).stat().st_size for path in loaded}
    assert sum(weights.values()) <= CHAPTER_BYTES, weights


def test_the_chapter_begins_with_answers_and_is_read_in_one_sitting(browser):
    page = tab(browser)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(CHAPTER.as_uri())
    answers = page.locator("table.in-short")
    assert answers.bounding_box()["y"] < 900
    assert answers.locator("tbody tr").count() == 9
    rows = answers.locator("tbody tr").all()
    assert all(row.locator("a[href]").count() for row in rows)
    assert page.evaluate("document.documentElement.scrollHeight") <= CHAPTER_PIXELS


def test_the_diagram_has_a_label_and_its_sides_as_the_text_says(browser):
    page = tab(browser)
    page.goto(CHAPTER.as_uri())
    diagram = page.locator(".diagram svg[role=img]").first
    assert "Left: an array object" in diagram.get_attribute("aria-label")
    boxes = {
        label: diagram.get_by_text(label, exact=True).first.bounding_box()
        for label in ("Array image", "Proxy image")
    }
    assert boxes["Array image"]["x"] < boxes["Proxy image"]["x"]


@pytest.fixture
def claim(browser):
    page = tab(browser, java_script_enabled=False)
    page.goto(CHAPTER.as_uri())
    # One that has figures.
    yield page.locator(".claim-holds:has(.note > span + span)").first
    page.context.close()


def test_a_claim_is_a_sentence_of_its_paragraph_with_a_mark(claim):
    display, parent = claim.evaluate("e => [getComputedStyle(e).display, e.parentElement.tagName]")
    assert (display, parent) == ("inline", "P")
    mark = claim.get_by_role("button", name="holds", exact=True)
    assert mark.text_content() == "✓"
    assert "claimed" in mark.get_attribute("title")
    assert not claim.get_by_text("claimed").first.is_visible()


def test_a_mark_opens_by_mouse_and_keyboard_and_closes_again(claim):
    page, mark, note = claim.page, claim.locator(".mark"), claim.locator(".note")
    mark.click()
    assert note.is_visible()
    assert re.search(r"claimed .*\d repeats?\)", note.text_content())
    # Where it does not hide what it is about, and on the screen.
    place, about = note.bounding_box(), mark.bounding_box()
    assert place["y"] >= about["y"] + about["height"] or place["y"] + place["height"] <= about["y"]
    page.keyboard.press("Escape")
    assert not note.is_visible()
    for key in ("Enter", "Space"):
        mark.press(key)
        assert note.is_visible()
        page.keyboard.press("Escape")
        assert not note.is_visible()
    mark.click()
    page.locator("h1").click()
    assert not note.is_visible()


def test_a_screen_reader_is_told_of_the_verdict_and_whether_it_is_open(browser):
    page = tab(browser)
    page.goto(CHAPTER.as_uri())
    mark = page.locator(".claim-holds .mark").first
    session = page.context.new_cdp_session(page)

    def told():
        tree = session.send("Accessibility.getFullAXTree")["nodes"]
        found = [node for node in tree if node.get("description", {}).get("value") == title]
        properties = {entry["name"]: entry["value"]["value"] for entry in found[0]["properties"]}
        return (*(found[0][key]["value"] for key in ("role", "name")), properties["expanded"])

    title = mark.get_attribute("title")
    assert told() == ("button", "holds", False)
    mark.click()
    assert told() == ("button", "holds", True)


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_what_a_mark_opens_to_is_on_the_screen(browser, size):
    page = tab(browser, size)
    page.goto(CHAPTER.as_uri())
    for mark in (page.locator(".claim .mark").first, page.locator("td .mark").first):
        mark.click()
        place = page.locator(".note:popover-open").bounding_box()
        assert place["x"] >= 0
        assert place["x"] + place["width"] <= size[0]
        assert place["width"] >= 150
        page.keyboard.press("Escape")
    assert page.problems == []


def test_an_open_mark_has_no_serious_fault(browser):
    page = tab(browser)
    page.goto(CHAPTER.as_uri())
    page.locator(".claim .mark").first.click()
    faults = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        faults[scheme] = serious_faults(page, scheme)
        assert page.locator(".note:popover-open").is_visible()
    assert faults == {"light": [], "dark": []}, json.dumps(faults, indent=1)[:4000]


def test_on_paper_a_claim_has_its_verdict_in_brackets(claim):
    claim.page.emulate_media(media="print")
    assert not claim.locator(".mark").is_visible()
    note = claim.locator(".note")
    assert note.is_visible()
    ends = note.locator("span").first.evaluate(
        "line => ['::before', '::after'].map(end => getComputedStyle(line, end).content)"
    )
    assert ends == ['"["', '"]"']
    shown = note.locator("span").evaluate_all("all => all.map(one => one.offsetWidth > 0)")
    assert shown == [True] + [False] * (len(shown) - 1)


def test_below_code_stands_one_line_of_time_and_memory(browser):
    page = tab(browser)
    page.goto(CHAPTER.as_uri())
    lines = page.locator("p.taken").all_text_contents()
    assert lines
    figures = r"[\d.\s]+ (µs|ms|s), [\d.\s]+ (MiB|GiB)( with its workers)?( \(.* to .*\))?"
    for line in lines:
        said = line.startswith(("Returns ", "No figures: "))
        assert said or re.fullmatch(figures, re.sub(r"\s", " ", line)), line


def test_a_wide_table_shows_on_a_phone_that_it_goes_on(browser):
    page = tab(browser, PHONE)
    page.goto(CHAPTER.as_uri())
    wide = page.locator(".table-wrapper").filter(has=page.locator("svg.spread")).first
    assert wide.evaluate("box => box.scrollWidth > box.clientWidth")

    def edges():
        """Return how light it is at the left and at the right edge."""
        drawn = imread(io.BytesIO(wide.screenshot()))
        return [np.median(drawn[:, column, :3]) for column in (1, -2)]

    left, right = edges()
    assert left > right
    wide.evaluate("box => box.scrollTo(box.scrollWidth, 0)")
    left, right = edges()
    assert left < right


def first_cells(table, column):
    return table.locator(f"tbody tr > :nth-child({column + 1})").evaluate_all(
        "cells => cells.map(cell => cell.dataset.value ?? cell.textContent)"
    )


@pytest.fixture
def table(browser):
    page = tab(browser)
    page.goto(CHAPTER.as_uri())
    yield page.locator("table.measurements").first
    page.context.close()


def test_a_table_is_sorted_by_a_click_and_by_the_keyboard(table):
    heading = table.locator("thead th").nth(1)
    heading.get_by_role("button").click()
    rising = [float(value) for value in first_cells(table, 1)]
    assert rising == sorted(rising)
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.get_by_role("button").press("Enter")
    assert [float(value) for value in first_cells(table, 1)] == rising[::-1]
    assert heading.get_attribute("aria-sort") == "descending"
    table.locator("thead th").first.get_by_role("button").press("Space")
    signs = "".join(family.sign for family in FAMILIES.values())
    names = [name.lstrip(f"{signs}\N{NO-BREAK SPACE}") for name in first_cells(table, 0)]
    assert names == sorted(names, key=str.casefold)
    assert heading.get_attribute("aria-sort") is None


def test_words_stand_behind_figures_whichever_way_a_table_is_sorted(table):
    last = table.locator("thead th").count() - 1
    for _ in range(2):
        table.locator("thead th").nth(last).get_by_role("button").click()
        is_word = [value == "–" for value in first_cells(table, last)]
        assert any(is_word)
        assert is_word == sorted(is_word)


def test_a_table_says_units_families_spread_the_least_file_and_machine(table):
    headings = table.locator("thead th").all_text_contents()
    assert re.fullmatch(r"time \((µs|ms|s)\)", headings[1])
    assert re.fullmatch(r"peak \((MiB|GiB)\)", headings[3])
    caption = table.locator("caption").text_content()
    assert "voxels" in caption
    assert "nibabel" in caption
    assert table.locator("tbody svg.spread").count() >= 4
    assert table.locator("td strong").count() >= 1
    for name in ("nilearn", "nibabel", "recommended"):
        assert FAMILIES[name].sign in table.locator("tbody").text_content()


def test_search_finds_a_word(browser):
    page = tab(browser)
    page.goto((SITE / "search.html").as_uri() + "?q=multiplier")
    page.locator("#search-results li a").first.wait_for()
    found = page.locator("#search-results li a").all_text_contents()
    assert any("multiplier" in title for title in found)
    assert page.problems == []


def test_code_can_be_copied_and_examples_taken_along(browser):
    page = tab(browser)
    page.goto((SITE / "which_way.html").as_uri())
    assert page.locator("button.copybtn").count() > 10
    assert page.locator("details button.copybtn").count() == 0
    # What is put on the clipboard: it is selected in a field of its own for a moment.
    page.evaluate("document.addEventListener('copy', () => { copied = `${getSelection()}`; })")
    snippet = page.locator("div.snippet", has_text="def mean_isal").first
    assert not snippet.get_by_text("import numpy as np").is_visible()
    snippet.hover()
    snippet.locator("button.copybtn").click()
    code = page.evaluate("copied")
    assert code.lstrip().startswith("import contextlib\n")
    assert "def opened_image(path):" in code
    assert "def mean_isal(fmri_path):" in code
    assert "copied with it" not in code
    compile(code, "copied", "exec")
    page.goto((SITE / "auto_examples" / "plot_load.html").as_uri())
    hrefs = page.locator("a[download]").evaluate_all("links => links.map(a => a.href)")
    assert {href.rpartition(".")[2] for href in hrefs} >= {"py", "ipynb"}


def test_families_are_told_apart_by_shape_and_name_as_well_as_by_colour():
    for kind in ("title", "sign", "marker", "colour", "dark_colour"):
        assert len({getattr(family, kind) for family in FAMILIES.values()}) == len(FAMILIES)
