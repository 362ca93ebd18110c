"""Write a file whole or not at all."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes the place of another at once, when the block ends well.

    Until then it has no name, where the file system can do that (O_TMPFILE of open(2)): a
    process that is killed in the middle leaves nothing behind.

    Parameters
    ----------
    path : Path
        The file to make or replace; its folder is made.

    Raises
    ------
    OSError
        It cannot be written; what the path held before is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    named = path.with_name(f".{path.name}.new")
    named.unlink(missing_ok=True)  # of a process that was killed between two system calls
    try:
        descriptor, unnamed = _open(named)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
            if unnamed:
                # Python follows the link of /proc only if it is given a folder as well.
                os.link(f"/proc/self/fd/{descriptor}", named, src_dir_fd=descriptor)
        named.replace(path)
    except BaseException:
        named.unlink(missing_ok=True)
        raise


def _open(named: Path) -> tuple[int, bool]:
    try:
        return os.open(named.parent, os.O_TMPFILE | os.O_WRONLY, 0o644), True
    except (AttributeError, OSError):  # other systems, and file systems without it
        return os.open(named, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644), False
