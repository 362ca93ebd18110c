"""Kinds of files that a method has to take, as `conftest.save_run` is told of them."""

import nibabel as nib
import numpy as np

FILES = {
    "int16": {"name": "bold.nii"},
    "int16, scaled": {"name": "bold.nii.gz", "slope": 75.5},
    "int16, scaled and shifted": {"name": "bold.nii", "slope": 0.5, "inter": 100.0},
    "float32": {"name": "bold.nii.gz", "dtype": np.float32},
    "big-endian int16": {"name": "bold.nii", "dtype": np.dtype(">i2")},
    "big-endian float32": {"name": "bold.nii.gz", "dtype": np.dtype(">f4")},
    "NIfTI-2": {"name": "bold.nii.gz", "slope": 75.5, "kind": nib.Nifti2Image},
}
