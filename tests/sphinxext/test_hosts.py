"""What other hosts run: workflows, and Read the Docs."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from benchmarks import __main__
from benchmarks.files import PROJECT

WORKFLOWS = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))
READ_THE_DOCS = PROJECT / ".readthedocs.yaml"


def commands(content):
    """Yield every shell line of a workflow, or of Read the Docs."""
    if "build" in content and "commands" in content["build"]:
        yield from content["build"]["commands"]
    for job in content.get("jobs", {}).values():
        for step in job["steps"]:
            yield from step.get("run", "").splitlines()


@pytest.mark.parametrize("path", [*WORKFLOWS, READ_THE_DOCS], ids=lambda path: path.name)
def test_what_a_host_runs_is_there(path):
    lines = list(commands(yaml.safe_load(path.read_text())))
    assert lines
    targets = set(re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    for target in re.findall(r"\bmake ([a-z]+)", "\n".join(lines)):
        assert target in targets
    for command in re.findall(r"fmri-bench ([a-z]+)", "\n".join(lines)):
        assert CliRunner().invoke(__main__.main, [command, "--help"]).exit_code == 0


def test_releases_are_compared_every_week():
    # In YAML 1.1, "on" is a truth value.
    (schedule,) = yaml.safe_load((WORKFLOWS[0]).read_text())[True]["schedule"]
    minute, hour, day, month, weekday = schedule["cron"].split()
    assert (day, month) == ("*", "*")
    assert all(part.isdigit() for part in (minute, hour, weekday))


def test_hosts_that_cannot_measure_do_not_try():
    for path in (PROJECT / ".github/workflows/site.yml", READ_THE_DOCS):
        lines = [line for line in commands(yaml.safe_load(path.read_text())) if "html" in line]
        assert lines
        assert all("MEASURE=0" in line for line in lines)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Build the site as Read the Docs does, in a copy of the project, for another address."""
    copy, site = tmp_path_factory.mktemp("host") / "project", tmp_path_factory.mktemp("published")
    made = shutil.ignore_patterns(".*", "_build", "auto_examples", "tests", "__pycache__")
    shutil.copytree(PROJECT, copy, ignore=made)
    *_, build = commands(yaml.safe_load(READ_THE_DOCS.read_text()))
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "READTHEDOCS_OUTPUT": str(site),
        "SITE_URL": "https://example.org/neuro",
    }
    answer = subprocess.run(
        ["/bin/sh", "-c", build],
        cwd=copy,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return site / "html"


def test_a_published_site_names_its_own_address(published):
    assert "https://example.org/neuro/index.html" in (published / "sitemap.xml").read_text()
    chapter = (published / "performance_comparison.html").read_text()
    assert 'property="og:url" content="https://example.org/neuro/' in chapter
    assert 'href="/neuro/_static/' in (published / "404.html").read_text()
