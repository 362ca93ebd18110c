"""The built site in the Chromium of the system, as a reader without a network has it."""

import contextlib
import os
import shutil

import pytest
from playwright.sync_api import sync_playwright

from benchmarks.files import BUILD

SITE = BUILD / "html"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
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
    """Skip the tests of a module where there is nothing to look at, or to look with."""
    if not (SITE / "index.html").exists():
        pytest.skip("there is no built site; make html makes it", allow_module_level=True)
    if not CHROMIUM:
        if os.environ.get("CI"):
            pytest.fail("CI has to look at the pages, and there is no Chromium", pytrace=False)
        pytest.skip("there is no Chromium to look at the pages with", allow_module_level=True)


@contextlib.contextmanager
def chromium():
    """Start the browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
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


def width_of(page):
    """Return the width of what can be scrolled to, in CSS pixels."""
    return page.evaluate("document.documentElement.scrollWidth")
