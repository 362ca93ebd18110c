"""The calculator of the built site in a real browser, beside what the command line predicts."""

import json
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import DESK, PHONE, SITE, chromium, need_site, resize, tab, width_of

from benchmarks.files import BUILD
from benchmarks.images.image import Image
from benchmarks.prediction import predict, request
from benchmarks.prediction.basis import Basis
from benchmarks.results import reference_store, store
from benchmarks.units import GIB

need_site()

PAGE = SITE / "will_it_fit.html"

#: Of the axis of volumes, the type, slope and intercept, the ending, the free memory in GiB, the
#: processors, and how many files at a time.
FILES = [
    ((64, 64, 36, 200), "int16", 1, 0, ".nii.gz", 8, 2, 1),
    ((80, 80, 35, 156), "int16", 75.5, 0, ".nii.gz", 0.3, 1, 1),
    ((91, 109, 91, 1200), "float32", 1, 0, ".nii.gz", 16, 16, 3),
    ((91, 109, 91, 1200), "float32", 1, 0, ".nii", 15.9, 8, 1),
    ((128, 128, 80, 600), "uint16", 0.5, 100, ".nii", 64, 64, 10),
    ((10, 10, 10, 4), "uint8", 1, 0, ".nii", 1, 32, 32),
    ((400, 400, 300, 3000), "float64", 1, 0, ".nii.gz", 256, 3, 2),
]


@pytest.fixture(scope="module")
def page():
    with chromium() as browser:
        opened = tab(browser)
        opened.goto(PAGE.as_uri())
        yield opened


@pytest.fixture
def basis(monkeypatch):
    """Return what the form of the built site rests on."""
    if reference_store.SAID in PAGE.read_text():
        return Basis.of_reference()
    folder = BUILD / "results"
    monkeypatch.setenv("FMRI_BENCH_RESULTS", str(folder))
    last = max(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
    return Basis.of(store.at(last, Image).provenance)


def cells(page):
    rows = page.locator(".calculator tbody tr").all()
    return [tuple(row.locator("th, td").all_text_contents()) for row in rows]


def fill(page, shape, dtype, scaling, ending, free, processors, jobs):
    for index, count in enumerate(shape):
        page.fill(f"[name=n{index}]", str(count))
    page.select_option("[name=dtype]", dtype)
    page.select_option("[name=scaling]", scaling)
    page.select_option("[name=ending]", ending)
    page.fill("[name=free]", str(free))
    page.fill("[name=processors]", str(processors))
    page.fill("[name=jobs]", str(jobs))
    page.select_option("[name=task]", "every task")


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file[1]}{file[4]}")
def test_the_page_says_what_the_command_line_says(page, file, basis):
    shape, dtype, slope, inter, ending, free, processors, jobs = file
    compression = "gz" if ending == ".nii.gz" else "none"
    image = Image(Path("a"), shape, dtype, slope, inter, compression)
    predicted = predict.of_image(image, basis, round(free * GIB), jobs=jobs, processors=processors)
    scaling = "as stored"
    if slope != 1:
        scaling = "multiplied and shifted" if inter else "multiplied by a slope"
    fill(page, shape, dtype, scaling, ending, free, processors, jobs)
    assert cells(page) == list(predicted.table().rows)
    assert predicted.rows
    assert page.locator(".calculator-advice li").all_text_contents() == predicted.advice
    for row in [row for row in predicted.rows if row.request_bytes][::9]:
        page.select_option("[name=slurm]", row.name)
        assert page.locator(".calculator-slurm").text_content() == request.slurm(row)


def test_it_starts_with_the_run_of_the_build(page):
    page.goto("about:blank")
    page.goto(PAGE.as_uri())
    rows = cells(page)
    assert rows
    assert all(row[0].startswith("mean_over_time.") for row in rows)
    assert "Raw size" in page.locator("[role=status]").text_content()


def test_it_fetches_nothing_from_outside_and_raises_nothing(page):
    assert all(url.startswith(("file:", "about:")) for url in page.requests)
    assert page.problems == []


def test_a_field_that_makes_no_sense_is_named(page):
    for text in ("", "0", "-3", "1.5"):
        page.fill("[name=n3]", text)
        assert 'mend the field "volumes"' in page.locator("[role=status]").text_content()
        assert not page.locator(".calculator table").is_visible()
    page.fill("[name=n3]", "100")
    assert page.locator(".calculator table").is_visible()


def test_the_keyboard_alone_will_do(page):
    page.locator("[name=n0]").focus()
    for name in (
        "n1",
        "n2",
        "n3",
        "dtype",
        "scaling",
        "ending",
        "free",
        "processors",
        "jobs",
        "task",
    ):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.name") == name
    page.locator("[name=ending]").focus()
    before = page.input_value("[name=ending]")
    page.keyboard.press("ArrowDown" if before == ".nii.gz" else "ArrowUp")
    assert page.input_value("[name=ending]") != before
    page.locator("[name=n3]").focus()
    summary = page.locator("[role=status]").text_content()
    page.keyboard.press("ArrowUp")
    assert page.locator("[role=status]").text_content() != summary


def test_every_field_has_a_label_and_axe_finds_no_fault(page):
    for field in page.locator(".calculator :is(input, select)").all():
        assert field.evaluate("field => field.labels.length") == 1
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page, context=".calculator")
        assert [v["id"] for v in found.response["violations"]] == [], json.dumps(
            found.response["violations"], indent=1
        )


def test_the_fields_can_be_given_behind_the_address(page):
    page.goto("about:blank")
    page.goto(f"{PAGE.as_uri()}#n3=77&dtype=float64&task=load&unknown=1")
    assert page.input_value("[name=n3]") == "77"
    assert page.input_value("[name=dtype]") == "float64"
    assert all(row[0].startswith("load.") for row in cells(page))


def test_it_fits_on_a_phone(page):
    resize(page, PHONE)
    width = width_of(page)
    resize(page, DESK)
    assert width <= PHONE[0]
