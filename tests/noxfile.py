"""The tests that do not measure, on every Python and with the oldest releases of all."""

import os
from pathlib import Path

import nox

PROJECT = Path(__file__).resolve().parent.parent

nox.needs_version = ">=2024.4.15"
nox.options.envdir = str(PROJECT / ".nox")
nox.options.reuse_venv = "yes"

# Pythons of pyenv are used as well, whether it has them chosen or not.
found = sorted(Path.home().glob(".pyenv/versions/3.*/bin"))
os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], *map(str, found)])

#: What judges measurements is for a quiet machine, and for one Python; so is what the pages look
#: like.
CHOSEN = ("-m", "not alone", "--ignore", "tests/browser", "--dist", "loadfile", "-n", "2")

WANTED = ".[cluster,doc,test]"


@nox.session(python=["3.10", "3.11", "3.12", "3.13"], venv_backend="venv")
def tests(session: nox.Session) -> None:
    """Run them with the newest releases that a Python can have."""
    session.chdir(PROJECT)
    session.install("--quiet", "--editable", WANTED)
    session.run("python", "-m", "pytest", *CHOSEN, *session.posargs)


@nox.session(python="3.10", venv_backend="venv")
def lowest(session: nox.Session) -> None:
    """Run them with the oldest releases that pyproject.toml allows, on the oldest Python."""
    session.chdir(PROJECT)
    session.install("--quiet", "uv")  # pip has no such choice
    oldest = ("--resolution", "lowest-direct", "--editable", WANTED)
    session.run("uv", "pip", "install", "--quiet", *oldest)
    # Old releases use what newer ones, which nobody pins, have deprecated since.
    session.run("python", "-m", "pytest", *CHOSEN, "-W", "default", *session.posargs)
