"""What results are about, as far as this package has to know: the record is the project's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from pathlib import Path


class Dataset(Protocol):
    """A file that was measured on.

    Attributes
    ----------
    path : Path
        Where it is.
    name : str
        Name of the file.
    label : str
        What names of results files about it begin with; other bytes, another label.
    description : str
        What it is, in one line.
    raw_bytes, file_bytes : int
        Its size as an array, and on disk.
    sha256 : str
        Digest of its bytes.
    reason : str
        Why this file was taken, as a sentence.
    images : int
        How many copies of the file a method is given.
    """

    @property
    def path(self) -> Path: ...  # noqa: D102 - described above, as the others
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def label(self) -> str: ...  # noqa: D102
    @property
    def description(self) -> str: ...  # noqa: D102
    @property
    def raw_bytes(self) -> int: ...  # noqa: D102
    @property
    def file_bytes(self) -> int: ...  # noqa: D102
    @property
    def sha256(self) -> str: ...  # noqa: D102
    @property
    def reason(self) -> str: ...  # noqa: D102
    @property
    def images(self) -> int: ...  # noqa: D102

    def meets(self, condition: str) -> bool:
        """Tell whether it is as a condition asks; raises FigureError if there is none."""

    def entry(self) -> dict[str, Any]:
        """Return what is stored of it, as JSON can hold it."""

    @classmethod
    def from_entry(cls, entry: dict[str, Any], folder: Path) -> Self:
        """Read what `entry` returned; raises KeyError, TypeError or ValueError if it is none."""
