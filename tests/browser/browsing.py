"""The built site in a Chromium, as a reader without a network has it."""

import contextlib
import os
import shutil
from pathlib import Path

import pytest
from conftest import NO_CHROMIUM
from playwright.sync_api import sync_playwright

from benchmarks.files import BUILD

SITE = BUILD / "html"
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

#: Width and height of the screens, in CSS pixels: the narrowest phones that are common.
DESK, PHONE = (1280, 800), (360, 740)

#: A4 without the margins of print.css: 180 mm at 96 pixels an inch.
PAPER = (680, 1000)


def need_site():
    """Skip the tests of a module where there is nothing to look at."""
    if not (SITE / "index.html").exists():
        pytest.skip("there is no built site; make test builds it", allow_module_level=True)


def executable(playwright):
    """Return the browser of the system or else of Playwright, or end without one."""
    own = playwright.chromium.executable_path
    if found := shutil.which("chromium") or shutil.which("google-chrome"):
        return found
    if Path(own).exists():
        return own
    if os.environ.get("CI"):
        pytest.fail(f"CI has to look at the pages, and {NO_CHROMIUM}", pytrace=False)
    return pytest.skip(NO_CHROMIUM)


@contextlib.contextmanager
def chromium():
    """Start the browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(playwright), args=OPTIONS)
        yield browser
        browser.close()


def tab(browser, size=DESK, scheme="light", **options):
    """Open a tab that notes what it asks for and what goes wrong."""
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, **options
    )
    context.set_offline(True)
    page = context.new_page()
    page.requests, page.problems = [], []
    page.on("request", lambda request: page.requests.append(request.url))
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda message: page.problems.append(f"{message.type}: {message.text}"))
    return page


def resize(page, size):
    """Give a tab another screen."""
    page.set_viewport_size(dict(zip(("width", "height"), size, strict=True)))


#: What reaches out of the column of its page, but for what is read out only, and what scrolls in
#: a box of its own; the box itself has to fit. Within half a pixel, which is drawn the same. The
#: theme has headings hang out by a margin below zero, and pads them, so that their text does not.
TOO_WIDE = """() => {
  const column = document.querySelector("article").getBoundingClientRect();
  const scrolls = (box) => ["auto", "scroll"].includes(getComputedStyle(box).overflowX);
  const within = (element) => {
    for (let box = element.parentElement; box.tagName !== "ARTICLE"; box = box.parentElement)
      if (scrolls(box) || box.classList.contains("said")) return true;
    return false;
  };
  return [...document.querySelectorAll("article *")].filter((element) => {
    const place = element.getBoundingClientRect();
    const { marginLeft, marginRight } = getComputedStyle(element);
    const left = place.left - Math.min(0, parseFloat(marginLeft));
    const right = place.right + Math.min(0, parseFloat(marginRight));
    const fits = left >= column.left - 0.5 && right <= column.right + 0.5;
    return place.width && !fits && !element.closest(".said, .headerlink") && !within(element);
  }).map((element) => element.outerHTML.slice(0, 120));
}"""

#: Tables and code that are wider than the box that scrolls them.
SCROLLED = """() => [...document.querySelectorAll("article :is(.table-wrapper, .highlight pre)")]
  .filter((box) => box.scrollWidth > box.clientWidth)
  .map((box) => `${(box.querySelector("thead") ?? box).textContent}: ${box.scrollWidth}`)"""

#: Captions that are cut off at the right, in the order of their tables.
CUT_OFF = """() => [...document.querySelectorAll("article .table-wrapper caption")]
  .filter((caption) => {
    const box = caption.closest(".table-wrapper").getBoundingClientRect();
    return caption.getBoundingClientRect().right > box.right + 0.5;
  })
  .map((caption) => caption.textContent)"""


def too_wide(page):
    """Return what does not fit into the column: elements of the page, and captions of tables."""
    return page.evaluate(TOO_WIDE) + page.evaluate(CUT_OFF)


def scrolled(page):
    """Return the tables and the code that are seen in part only, until they are scrolled."""
    return page.evaluate(SCROLLED)


def width_of(page):
    """Return the width of what can be scrolled to, in CSS pixels."""
    return page.evaluate("document.documentElement.scrollWidth")
