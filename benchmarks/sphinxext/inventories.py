"""Small intersphinx inventories, made of hand-written lists, for projects not to be reached."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config

LISTS = "_inventories"
TARGET = "_build/inventories"

_HEAD = (
    "# Sphinx inventory version 2\n# Project: {name}\n# Version: \n"
    "# The remainder of this file is compressed using zlib.\n"
)


def location(name: str) -> str:
    """Return where the inventory of a project is, relative to the sources."""
    return f"{TARGET}/{name}.inv"


def write(app: Sphinx, _config: Config) -> None:
    """Compile ``_inventories/*.txt``; a line: name domain:role priority address title (or -)."""
    for path in sorted((Path(app.srcdir) / LISTS).glob("*.txt")):
        target = Path(app.srcdir) / location(path.stem)
        target.parent.mkdir(parents=True, exist_ok=True)
        head = _HEAD.format(name=path.stem).encode()
        target.write_bytes(head + zlib.compress(path.read_bytes()))
