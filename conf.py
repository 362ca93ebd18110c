"""Sphinx configuration: ``sphinx-build -c . doc doc/_build/html``."""

import os
import shlex
import sys
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import progress
from benchmarks.files import CLAIMS, measuring
from benchmarks.report import families
from benchmarks.sphinxext import chapter

# Sphinx-gallery changes the folder and replaces standard error while an example runs.
if fmri := os.environ.get("FMRI"):
    os.environ["FMRI"] = str(Path(fmri).expanduser().absolute())
progress.send_to(sys.stderr)

project = "Performance of neuroimaging workflows"
author = "the authors of neuroimaging-performance"
copyright = "2026, the authors"
language = "en"

extensions = [
    "benchmarks.sphinxext.chapter",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_inventories", "**/*.ipynb"]
nitpicky = True
measured_claims_file = str(CLAIMS)
measured_upstream = ["performance_comparison"]

html_theme = "furo"
html_title = project
html_static_path = ["doc/_static"]
html_css_files = ["site.css", ("print.css", {"media": "print"})]
html_js_files = [("site.js", {"defer": "defer"})]
html_favicon = "doc/_static/thumbnails/how_we_measure.svg"
html_show_sphinx = False
html_copy_source = False
html_theme_options = {
    "light_css_variables": families.css_variables(dark=False),
    "dark_css_variables": families.css_variables(dark=True),
}
if not measuring():
    html_theme_options["announcement"] = chapter.banner()
    tags.add("reference")  # noqa: F821 - Sphinx gives it

# Where the site is published, if it is: only then can it name its pages to search engines.
html_baseurl = os.environ.get("SITE_URL") or os.environ.get("READTHEDOCS_CANONICAL_URL", "")
# The lines that a search shows of each page are fetched, which browsers refuse for files.
html_show_search_summary = bool(html_baseurl)
if html_baseurl:
    html_baseurl = html_baseurl.rstrip("/") + "/"
    extensions += ["notfound.extension", "sphinx_sitemap", "sphinxext.opengraph"]
    notfound_urls_prefix = urlsplit(html_baseurl).path
    sitemap_url_scheme = "{link}"
    sitemap_excludes = ["404.html", "genindex.html", "search.html"]
    ogp_site_url = html_baseurl
    ogp_image = f"{html_baseurl}_images/sphx_glr_plot_mean_over_time_002.png"
    ogp_social_cards = {"enable": False}

# The types of parameters are in the docstrings, in words.
autodoc_typehints = "none"
numpydoc_show_class_members = False
default_role = "code"

# The second location serves builds without a network; the links still point online.
intersphinx_mapping = {
    name: (site, (None, chapter.inventory(name)))
    for name, site in {
        "nibabel": "https://nipy.org/nibabel/",
        "nilearn": "https://nilearn.github.io/stable/",
        "numpy": "https://numpy.org/doc/stable/",
    }.items()
}
intersphinx_timeout = 5

# A function is copied with the imports and helpers that are folded in above it.
copybutton_selector = "div.pasted, div.highlight pre:not(div.pasted pre)"
copybutton_exclude = ".linenos, summary"

# Drawn while the site is built; the layout that keeps the sides as the source has them.
mermaid_cmd = shlex.join([sys.executable, "-m", "mermaidx"])
mermaid_output_format = "svg"
mermaid_config = {"layout": "dagre", "theme": "default", "look": "classic"}

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    # benchmarks/sphinxext/pages.py decides which examples are executed, and has to know of it.
    "reset_modules": ("matplotlib", "benchmarks.sphinxext.pages.remember"),
    "reset_modules_order": "both",
    # What would be shown is the time of the build, not of a method.
    "min_reported_time": float("inf"),
    "write_computation_times": False,
    "show_memory": False,
    "parallel": False,
    "download_all_examples": False,
    "show_signature": False,
    "image_srcset": ["2x"],
    "backreferences_dir": "auto_examples/backreferences",
    "doc_module": ("benchmarks",),
    "reference_url": {"benchmarks": None},
    "remove_config_comments": True,
    "within_subsection_order": "FileNameSortKey",
}
