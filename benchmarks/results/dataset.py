"""What results are about, as far as this package has to know: the record is the project's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self


class Dataset(Protocol):
    """A file that was measured on."""

    @property
    def path(self) -> Path:
        """Where it is."""

    @property
    def label(self) -> str:
        """What names of results files about it begin with; other bytes, another label."""

    @property
    def description(self) -> str:
        """What it is, in one line."""

    @property
    def raw_bytes(self) -> int:
        """Its size as an array."""

    @property
    def file_bytes(self) -> int:
        """Its size on disk."""

    @property
    def images(self) -> int:
        """How many copies of the file a method is given."""

    def meets(self, condition: str) -> bool:
        """Tell whether it is as a condition asks; raises FigureError if there is no such one."""

    def entry(self) -> dict[str, Any]:
        """Return what is stored of it, as JSON can hold it."""

    @classmethod
    def from_entry(cls, entry: dict[str, Any], folder: Path) -> Self:
        """Read what `entry` returned; raises KeyError, TypeError or ValueError if it is none."""
