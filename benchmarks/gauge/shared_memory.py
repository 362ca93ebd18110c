"""The file system in memory, /dev/shm: where it is, and what a process tree keeps there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from . import procfs

if TYPE_CHECKING:
    from collections.abc import Iterable

#: How often a new file is looked for in the maps of the tree before it is somebody else's.
_LOOKS = 5

#: Where the file system in memory is: not a temporary folder, but memory.
FOLDER = Path("/dev/shm")  # noqa: S108

#: joblib puts arrays into the folder that this variable names.
JOBLIB_FOLDER = "JOBLIB_TEMP_FOLDER"

#: joblib takes the file system in memory only if it has this much room (its own bound).
ROOM_BYTES = 2_000_000_000


def shared_memory() -> Path | None:
    """Return the file system in memory where joblib puts arrays, or None if it takes a disk."""
    wanted = os.environ.get(JOBLIB_FOLDER)
    if wanted and not Path(wanted).resolve().is_relative_to(FOLDER):
        return None
    if not FOLDER.is_dir() or not os.access(FOLDER, os.W_OK):
        return None
    room = os.statvfs(FOLDER)
    return FOLDER if room.f_bavail * room.f_frsize >= ROOM_BYTES else None


class ShmFiles:
    """Files of the tree in /dev/shm: joblib's in our folder, and new ones beside that it maps."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._looks: dict[str, int] = {}
        self._own: set[str] = set()
        if folder:
            self._looks = {entry.name: _LOOKS for entry in os.scandir(folder.parent)}

    def size_kib(self, processes: Iterable[int]) -> int:
        """Return the space that the files of these processes take now."""
        if self._folder is None:
            return 0
        return procfs.folder_kib(self._folder) + self._beside_kib(self._folder.parent, processes)

    def _beside_kib(self, shm: Path, processes: Iterable[int]) -> int:
        total = 0
        try:
            with os.scandir(shm) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        continue
                    size = entry.stat(follow_symlinks=False).st_blocks // 2
                    if size and self._is_own(shm / entry.name, processes):
                        total += size
        except OSError:  # removed while it was looked at
            return total
        return total

    def _is_own(self, path: Path, processes: Iterable[int]) -> bool:
        name = path.name
        if name not in self._own and self._looks.get(name, 0) < _LOOKS:
            self._looks[name] = self._looks.get(name, 0) + 1
            if any(procfs.maps(pid, path) for pid in list(processes)):
                self._own.add(name)
        return name in self._own
