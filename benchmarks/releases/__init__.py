"""The same methods under several releases of nilearn and nibabel, and what changed."""
