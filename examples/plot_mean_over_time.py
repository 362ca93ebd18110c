"""
Mean over time
==============

What is the leanest way to average a BOLD run over time?

The mean image is often the first thing that is computed from a run. nilearn's function for it
reads the whole run into memory before it averages. The arithmetic does not need that: a sum can
grow volume by volume.

The chapter says what follows from it: :ref:`chapter_mean_over_time`.
"""

# %%
# With nilearn
# ------------
# ``mean_img`` takes an image or a path. Here the image comes from nilearn's own loader.

# sphinx_gallery_thumbnail_path = '_static/thumbnails/mean_over_time.svg'

import math
import subprocess
import sys
import tempfile

import nibabel as nib
import numpy as np
from nibabel.arrayproxy import ArrayProxy
from nilearn.image import load_img, mean_img

from benchmarks.recipes import opened_image


def mean_load_img(fmri_path):
    """Average an image that nilearn opened."""
    return mean_img(load_img(fmri_path), copy_header=True)


# %%
# And here from nibabel's. Both are proxy images, so ``mean_img`` reads the data in either case.


def mean_nibabel(fmri_path):
    """Average an image that nibabel opened."""
    return mean_img(nib.load(fmri_path), copy_header=True)


# %%
# Volume by volume
# ----------------
# ``dataobj`` reads only the part of the file that is asked for. A loop over the volumes needs
# memory for one volume and for the sum.
#
# In a NIfTI file, the voxels along the first axis are neighbours. ``order="F"`` lays out the sum
# in the same order, so that it is quick to add a volume to it.
#
# ``keep_file_open=True`` matters for a compressed file. Without it, the file is opened again for
# each volume, and unpacked from the start. nibabel closes the file when nothing refers to the
# image any more, here at the end of the function.
#
# The new image gets the affine and the header of the run, but the type of its own values: with the
# type of the run, saving it would round the mean. Its class is that of the run as well, so that
# this works for NIfTI-2, too.


def mean_volume_by_volume(fmri_path):
    """Add up the volumes one after the other.

    What is NaN in a volume is NaN in the mean, as with ``mean_img``.
    """
    img = nib.load(fmri_path, keep_file_open=True)
    mean = np.zeros(img.shape[:3], order="F")
    for volume in range(img.shape[3]):
        mean += img.dataobj[..., volume]
    mean /= img.shape[3]
    return type(img)(mean, img.affine, img.header, dtype=mean.dtype)


# %%
# This is the same loop without ``keep_file_open=True``.


def mean_file_reopened(fmri_path):
    """Add up the volumes, and open the file again for each of them."""
    img = nib.load(fmri_path)
    mean = np.zeros(img.shape[:3], order="F")
    for volume in range(img.shape[3]):
        mean += img.dataobj[..., volume]
    mean /= img.shape[3]
    return type(img)(mean, img.affine, img.header, dtype=mean.dtype)


# %%
# A compressed file, as fast as it can be unpacked
# ------------------------------------------------
# The package ``isal`` unpacks .gz files much faster than Python's own ``gzip``. ``opened_image``
# has nibabel read through it, and closes the file at the end.
#
# ``ArrayProxy`` returns the values as they are stored. The scaling of the header is applied once,
# to the mean, instead of to each volume: that is right for a mean or a sum, and for nothing else.
# Four volumes at a time are added up in float32, which is fast, and these sums in float64, which
# is exact enough for any run.


def mean_isal(fmri_path):
    """Unpack with isal, and add up the volumes as they are stored.

    Sums of four volumes are rounded to float32. What is NaN in a volume is NaN
    in the mean, as with ``mean_img``.
    """
    with opened_image(fmri_path) as img:
        proxy, dtype = img.dataobj, img.get_data_dtype()
        stored = ArrayProxy(proxy.file_like, (img.shape, dtype, proxy.offset))
        mean = np.zeros(img.shape[:3], order="F")
        for first in range(0, img.shape[3], 4):
            mean += stored[..., first : first + 4].sum(axis=3, dtype=np.float32)
    mean *= proxy.slope / img.shape[3]
    mean += proxy.inter
    return type(img)(mean, img.affine, img.header, dtype=mean.dtype)


# %%
# A plain file, some volumes at a time
# ------------------------------------
# A plain file need not be copied into memory at all: it can be mapped. Eight volumes at a time are
# mapped and added up, so that little memory is in use.


def mean_blocks(fmri_path):
    """Map eight volumes at a time, and add them up as they are stored.

    Sums of eight volumes are rounded to float32. What is NaN in a volume is NaN
    in the mean, as with ``mean_img``.
    """
    img = nib.load(fmri_path)
    *space, volumes = img.shape
    mean, dtype = np.zeros(space, order="F"), img.get_data_dtype()
    for first in range(0, volumes, 8):
        start = img.dataobj.offset + first * math.prod(space) * dtype.itemsize
        shape = (*space, min(8, volumes - first))
        stored = np.memmap(fmri_path, dtype, "r", start, shape, "F")
        mean += stored.sum(axis=3, dtype=np.float32)
    mean *= img.dataobj.slope / volumes
    mean += img.dataobj.inter
    return type(img)(mean, img.affine, img.header, dtype=mean.dtype)


# %%
# With other programs
# -------------------
# Where MRtrix or the Connectome Workbench is installed, their commands do the same. They are
# written in C++, and measured as whole processes, from start to end. Each writes the mean into a
# folder of its own, so that two jobs cannot overwrite each other's.


def mean_mrmath(fmri_path):
    """Let mrmath of MRtrix write the mean."""
    mean = f"{tempfile.mkdtemp()}/mean.nii"
    command = ["mrmath", fmri_path, "mean", mean, "-axis", "3", "-quiet"]
    subprocess.run(command, check=True)
    return nib.load(mean)


def mean_wb_command(fmri_path):
    """Let wb_command of the Connectome Workbench write the mean."""
    mean = f"{tempfile.mkdtemp()}/mean.nii"
    command = ["wb_command", "-volume-reduce", fmri_path, "MEAN", mean]
    subprocess.run(command, check=True)
    return nib.load(mean)


# %%
# A whole script in Python does what they do: it starts, imports what it needs, averages, and
# writes a file. The first one needs nilearn, and the second nibabel and ``isal`` alone.

NILEARN_SCRIPT = """
import sys
import numpy as np
from nilearn.image import mean_img
mean = mean_img(sys.argv[1], copy_header=True)
mean.set_data_dtype(np.float32)
mean.to_filename(sys.argv[2])
"""

ISAL_SCRIPT = """
import sys
import nibabel as nib
import numpy as np
from isal import igzip
with igzip.open(sys.argv[1]) as stream:
    img = nib.load(sys.argv[1]).from_stream(stream)
    mean = np.zeros(img.shape[:3], order="F")
    for volume in range(img.shape[3]):
        mean += img.dataobj[..., volume]
mean /= img.shape[3]
type(img)(mean, img.affine, img.header, dtype=np.float32).to_filename(sys.argv[2])
"""


def mean_nilearn_script(fmri_path):
    """Let a new Python import nilearn, and write the mean."""
    mean = f"{tempfile.mkdtemp()}/mean.nii"
    subprocess.run([sys.executable, "-c", NILEARN_SCRIPT, fmri_path, mean], check=True)
    return nib.load(mean)


def mean_isal_script(fmri_path):
    """Let a new Python import nibabel and isal, and write the mean volume by volume."""
    mean = f"{tempfile.mkdtemp()}/mean.nii"
    subprocess.run([sys.executable, "-c", ISAL_SCRIPT, fmri_path, mean], check=True)
    return nib.load(mean)


# %%
# What it costs
# -------------
# Every method is called several times, in new Python processes. All of them must return the same
# mean image, or nothing is shown. First comes the run as a compressed file; the last column tells
# how far each method is from the best that this machine could do.

WAYS = [mean_load_img, mean_nibabel, mean_volume_by_volume]
LOOPS = [mean_volume_by_volume, mean_file_reopened]
# nilearn adds up float32 as float32: the more volumes, the more is rounded.
TOLERANCE = 1e-4
ENDINGS = {"mean_isal": ".nii.gz", "mean_isal_script": ".nii.gz", "mean_blocks": ".nii"}
PROGRAMS = {"mean_mrmath": "mrmath", "mean_wb_command": "wb_command"}
SCRIPTS = [mean_nilearn_script, mean_isal_script]
WITH_NILEARN = ["mean_nilearn_script"]
PROCESSES = [mean_mrmath, mean_wb_command, *SCRIPTS]
COMPRESSED = [*WAYS, mean_isal]
PLAIN = [*WAYS, mean_blocks]
RECOMMENDED = ["mean_isal", "mean_blocks", "mean_volume_by_volume"]
METHODS = [*COMPRESSED, *PROCESSES, mean_blocks, mean_file_reopened]

if __name__ == "__main__":
    from benchmarks import compare

    print(compare(COMPRESSED, form="nii_gz"))

# %%
# That was the run as a compressed file. The last column tells how far each method is from what
# this machine could do at best.
#
# Programs and whole scripts, on the same file: each is a process from its start to its end.

if __name__ == "__main__":
    print(compare(PROCESSES, form="nii_gz", runs=2))

# %%
# Now the run as a plain file.

if __name__ == "__main__":
    print(compare(PLAIN, form="nii"))

# %%
# Here are the methods that need no other package or program, on the file as it is. Both methods
# with ``mean_img`` take the same time: it makes no difference which library opened the file.

if __name__ == "__main__":
    comparison = compare(WAYS)
    comparison.plot_time()

# %%
# The peak of the loop is a few volumes; that of ``mean_img`` is at least the whole run.

if __name__ == "__main__":
    comparison.plot_memory()

# %%
# The two loops are compared on the first volumes of the run, since the one that opens the file
# again would otherwise take very long.

if __name__ == "__main__":
    print(compare(LOOPS, form="short", runs=3))
