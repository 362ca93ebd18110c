"""The page of machines in a real browser: filtered, sorted, and sent to somebody else."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import DESK, PHONE, SITE, chromium, need_site, resize, tab, width_of

need_site()

PAGE = SITE / "machines.html"
FORM = "form.machines"
EVERY = f"{PAGE.as_uri()}#task=&file="


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture
def page(browser):
    opened = tab(browser)
    opened.goto(EVERY)
    yield opened
    assert opened.problems == []
    opened.context.close()


@pytest.fixture
def data(page):
    return json.loads(page.locator(f"{FORM} script").text_content())


def names(page):
    found = page.locator(f"{FORM} tbody th").all_text_contents()
    return [name.replace("\u200b", "") for name in found]


def column(page, index):
    """Return the figures of a column; None where there is none."""
    cells = page.locator(f"{FORM} tbody tr > td:nth-child({index + 2})")
    found = cells.evaluate_all("cells => cells.map(cell => cell.dataset.value ?? null)")
    return [None if value is None else float(value) for value in found]


def headings(page):
    return page.locator(f"{FORM} thead th[data-sort] button").all_text_contents()[1:]


def status(page):
    return page.locator(f"{FORM} [role=status]").text_content()


def state(page):
    return parse_qs(urlsplit(page.url).fragment, keep_blank_values=True)


def test_it_starts_with_a_task_on_the_file_that_most_have_measured(browser, data):
    page = tab(browser)
    page.goto(PAGE.as_uri())
    assert page.input_value(f"{FORM} [name=file]") == data["file"]
    assert names(page)
    assert all(name.startswith(data["shown"]) for name in names(page))
    page.context.close()


def test_every_figure_of_the_results_is_shown(page, data):
    assert len(headings(page)) == len(data["entries"])
    assert names(page) == [row["name"] for row in data["rows"]]
    for index in range(len(data["entries"])):
        cells = [row["cells"][index] for row in data["rows"]]
        wanted = [cell["time"][0] if isinstance(cell, dict) and "time" in cell else None
                  for cell in cells]  # fmt: skip
        assert column(page, index) == wanted


def test_task_file_release_and_machine_filter(page, data):
    page.select_option(f"{FORM} [name=task]", "load")
    assert names(page)
    assert all(name.startswith("load") for name in names(page))
    file, release = data["entries"][0]["file"], data["entries"][0]["release"]
    page.select_option(f"{FORM} [name=file]", file)
    assert len(headings(page)) == sum(entry["file"] == file for entry in data["entries"])
    page.select_option(f"{FORM} [name=release]", release)
    both = [e for e in data["entries"] if (e["file"], e["release"]) == (file, release)]
    assert headings(page) == [entry["machine"] for entry in both]
    for box in page.locator(f"{FORM} [name=machine]").all():
        box.uncheck()
    assert status(page) == "Nothing was measured of what is chosen here."
    assert not page.locator(f"{FORM} table").is_visible()


def test_relative_to_the_best_the_least_of_each_machine_is_one(page):
    page.select_option(f"{FORM} [name=task]", "mean_over_time")
    page.select_option(f"{FORM} [name=quantity]", "whole")
    page.select_option(f"{FORM} [name=as]", "relative")
    shown = [[v for v in column(page, i) if v is not None] for i in range(len(headings(page)))]
    assert any(shown)
    assert all(min(values) == 1 for values in shown if values)
    assert page.locator(f"{FORM} thead .remark", has_text="gauge").count() == len(headings(page))


def test_a_column_is_sorted_by_the_mouse_and_the_keyboard(page):
    button = page.locator(f"{FORM} thead th").nth(1).get_by_role("button")
    button.click()
    rising = [value for value in column(page, 0) if value is not None]
    assert rising == sorted(rising)
    words = [value is None for value in column(page, 0)]
    assert words == sorted(words)
    heading = page.locator(f"{FORM} thead th").nth(1)
    assert heading.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Enter")  # the focus stays where it was
    assert [value for value in column(page, 0) if value is not None] == rising[::-1]
    assert heading.get_attribute("aria-sort") == "descending"
    page.locator(f"{FORM} thead th").first.get_by_role("button").press("Space")
    assert names(page) == sorted(names(page))


def test_a_view_can_be_sent_by_its_address(browser, page):
    page.select_option(f"{FORM} [name=task]", "extract_volume")
    page.select_option(f"{FORM} [name=quantity]", "peak")
    page.select_option(f"{FORM} [name=as]", "relative")
    if page.locator(f"{FORM} [name=machine]").count() > 1:
        page.locator(f"{FORM} [name=machine]").last.uncheck()
    page.locator(f"{FORM} thead th").nth(1).get_by_role("button").click()
    page.locator(f"{FORM} thead th").nth(1).get_by_role("button").click()
    assert state(page)["quantity"] == ["peak"]
    assert state(page)["order"] == ["descending"]
    other = tab(browser)
    other.goto(page.url)
    assert other.url == page.url
    for look in (names, headings, status, lambda opened: column(opened, 0)):
        assert look(other) == look(page)
    assert other.problems == []
    other.context.close()


def test_an_address_that_makes_no_sense_shows_what_is_shown_at_first(browser, data):
    page = tab(browser)
    page.goto(f"{PAGE.as_uri()}#task=<b>&quantity=speed&machine=none&sort=<i>&order=up")
    assert page.input_value(f"{FORM} [name=task]") == data["shown"]
    assert page.input_value(f"{FORM} [name=quantity]") == "time"
    assert all(box.is_checked() for box in page.locator(f"{FORM} [name=machine]").all())
    assert page.problems == []
    page.context.close()


def test_the_keyboard_reaches_every_field_and_axe_finds_no_fault(page):
    page.locator(f"{FORM} [name=task]").focus()
    for name in ("quantity", "as", "file", "release", "machine"):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.name") == name
    page.keyboard.press("Space")
    assert not page.locator(f"{FORM} [name=machine]").first.is_checked()
    assert page.problems == []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page, context=FORM).response["violations"]
        assert found == [], json.dumps(found, indent=1)[:4000]
    page.problems.clear()  # axe asks for style sheets, which browsers refuse for files


def test_it_fits_on_a_phone(page):
    resize(page, PHONE)
    width = width_of(page)
    resize(page, DESK)
    assert width <= PHONE[0]


def test_without_a_script_there_is_a_table_all_the_same(browser):
    page = tab(browser, java_script_enabled=False)
    page.goto(PAGE.as_uri())
    table = page.locator("noscript table.measurements")
    assert table.is_visible()
    assert table.locator("tbody tr").count() >= 5
    assert not page.locator(FORM).is_visible()
    page.context.close()


def test_the_page_lists_each_machine_and_what_holds_on_all(page, data):
    assert page.locator("#list-of-machines tbody tr").count() == len(data["entries"])
    assert page.locator("#claims-on-machines tbody tr").count() >= 10
    assert "hold on all of these" in page.locator("article").text_content()
