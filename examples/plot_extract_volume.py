"""
Extracting one volume
=====================

How long does it take to get one volume out of a BOLD run, and what does it cost in memory?

One volume is a small part of the run. Whether getting it is also a small part of the work depends
on the file. A plain file can be read from any place. A compressed file has to be unpacked from its
beginning up to that place.

The chapter says what follows from it: :ref:`chapter_extracting`.
"""

# %%
# Through the proxy
# -----------------
# The ``dataobj`` of a proxy image reads what is asked for, and no more, whichever library opened
# the file. Both functions below return an array.

# sphinx_gallery_thumbnail_path = '_static/thumbnails/extract_volume.svg'

import getpass
import tempfile
from pathlib import Path

import nibabel as nib
from nilearn.image import index_img, load_img

from benchmarks.recipes import file_key, whole_file


def volume_load_img(fmri_path):
    """Ask nilearn's proxy image for the fourth volume."""
    return load_img(fmri_path).dataobj[..., 3]


def volume_nibabel(fmri_path):
    """Ask nibabel's proxy image for the fourth volume."""
    return nib.load(fmri_path).dataobj[..., 3]


# %%
# As an image
# -----------
# nibabel's ``slicer`` and nilearn's ``index_img`` return an image with its affine.


def volume_slicer(fmri_path):
    """Slice the image with nibabel."""
    return nib.load(fmri_path).slicer[..., 3]


def volume_index_img(fmri_path):
    """Index the image with nilearn."""
    return index_img(fmri_path, 3)


# %%
# After reading everything
# ------------------------
# ``get_fdata`` reads the whole run before one volume is taken from it.


def volume_get_fdata(fmri_path):
    """Read the whole run, and take one volume of it."""
    return nib.load(fmri_path).get_fdata()[..., 3]


# %%
# With indexed_gzip
# -----------------
# The package ``indexed_gzip`` remembers places in a .nii.gz at which it can start to unpack. On
# its first way through a file it knows none yet. nibabel uses this package by itself wherever it
# can be imported; here it is hidden from all methods that do not import it.


def volume_indexed_gzip(fmri_path):
    """Ask nibabel's proxy image for the fourth volume, with indexed_gzip at hand."""
    import indexed_gzip

    return nib.load(fmri_path).dataobj[..., 3]


# %%
# At other places of the run
# --------------------------
# The fourth volume is near the beginning of the file. These functions show how much the place
# matters.


def first_volume(fmri_path):
    """Ask the proxy image for the first volume."""
    return nib.load(fmri_path).dataobj[..., 0]


def fourth_volume(fmri_path):
    """Ask the proxy image for the fourth volume."""
    return nib.load(fmri_path).dataobj[..., 3]


def middle_volume(fmri_path):
    """Ask the proxy image for the volume in the middle."""
    img = nib.load(fmri_path)
    return img.dataobj[..., img.shape[3] // 2]


def last_volume(fmri_path):
    """Ask the proxy image for the last volume."""
    return nib.load(fmri_path).dataobj[..., -1]


# %%
# With a saved index
# ------------------
# If you come back to a compressed file, go through it once with ``indexed_gzip``, and save the
# places that it has found. From then on, every volume is near.
#
# An index of another file, or of an earlier state of this one, would lead to wrong voxels. So
# ``file_key`` makes its name from the path of the file, its size and the time of its last change.
# Unless you give a folder, the index goes to one in your name among the temporary files.


def index_path(fmri_path, folder=None):
    """Return where the index of a file is kept, as the file is now."""
    default = Path(tempfile.gettempdir(), f"gzip-indexes-of-{getpass.getuser()}")
    folder = Path(folder or default)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / f"{file_key(fmri_path)}.gzidx"


# %%
# ``whole_file`` moves the index to its place once it is complete, so that another job never finds
# half of it.


def save_index(fmri_path, folder=None):
    """Go through the file once, and save the index. It returns the size of the index in bytes."""
    from indexed_gzip import IndexedGzipFile

    index = index_path(fmri_path, folder)
    with IndexedGzipFile(fmri_path) as stream, whole_file(index) as unfinished:
        stream.build_full_index()
        stream.export_index(unfinished)
    return index.stat().st_size


# %%
# With the index, ``indexed_gzip`` opens the file as a stream, and nibabel reads the image from
# that.


def last_volume_indexed(fmri_path, folder=None):
    """Ask the proxy image for the last volume, with the index that was saved before."""
    from indexed_gzip import IndexedGzipFile

    index = index_path(fmri_path, folder)
    if not index.exists():
        save_index(fmri_path, folder)
    with IndexedGzipFile(fmri_path, index_file=index) as stream:
        return nib.load(fmri_path).from_stream(stream).dataobj[..., -1]


# %%
# Across all volumes
# ------------------
# A slice along the first axis takes some voxels from every volume, which are spread over the whole
# file.


def first_axis(fmri_path):
    """Ask the proxy image for the middle slice along the first axis, at all times."""
    img = nib.load(fmri_path)
    return img.dataobj[img.shape[0] // 2]


# %%
# What it costs
# -------------
# The first table compares the methods for the fourth volume. All of them must return the same.

WAYS = [
    volume_load_img,
    volume_nibabel,
    volume_slicer,
    volume_index_img,
    volume_get_fdata,
    volume_indexed_gzip,
]
PLACES = [[first_volume], [fourth_volume], [middle_volume], [last_volume]]
ACROSS = [first_axis]
COMPRESSED = [[last_volume, last_volume_indexed], [save_index]]
WITHOUT_INDEX = [[volume_nibabel, volume_indexed_gzip]]
ENDINGS = {"last_volume_indexed": ".nii.gz", "save_index": ".nii.gz"}
RECOMMENDED = ["volume_nibabel", "last_volume_indexed"]
METHODS = [WAYS, *PLACES[:3], *COMPRESSED, ACROSS]

if __name__ == "__main__":
    from benchmarks import compare, compare_forms

    comparison = compare(WAYS)
    print(comparison)

# %%
# Reading everything first is slow, and needs memory for the whole run.

if __name__ == "__main__":
    comparison.plot_memory()

# %%
# The next tables compare the places, in the run as a plain file and as a compressed one.

if __name__ == "__main__":
    places = compare_forms({"nii": PLACES, "nii_gz": PLACES}, quantity="time")
    print(places)

# %%
# In the plain file, every volume is as near as any other. In the compressed file, the later a
# volume comes, the longer it takes.

if __name__ == "__main__":
    places.plot_lines()

# %%
# With a saved index, the last volume of the compressed file no longer has to wait. The last row
# of the first table has the cost of making the index; the second table is the fourth volume of the
# same file, without one.

if __name__ == "__main__":
    print(compare(COMPRESSED, form="nii_gz"), end="\n\n")
    print(compare(WITHOUT_INDEX, form="nii_gz"))

# %%
# The slice along the first axis needs all of the file, plain or compressed. This is its peak
# memory.

if __name__ == "__main__":
    print(compare_forms({"nii": ACROSS, "nii_gz": ACROSS}, quantity="peak"))
