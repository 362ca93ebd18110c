"""Stands before the package of this name on the path of methods that do not name it.

nibabel reads .nii.gz files with indexed_gzip wherever that is installed. What happens to be
installed must not decide what a method costs, so it can be imported only where a method
asks for it by name.
"""

raise ImportError("indexed_gzip is hidden from methods that do not name it")
