"""
Before you start: will it fit?
==============================

How much memory will my file need, and how long will it take, before I run anything?

What a way of working needs grows with the file. Every way was measured on small files of each
kind: plain and compressed, whole numbers and floats, scaled and not. From these follows what a
larger file would need. Only the header of the large file has to be read.
"""

# sphinx_gallery_thumbnail_path = '_static/thumbnails/before_you_start.svg'

# %%
# For the run of this page
# ------------------------
# ``predict`` tells it for the file that is measured on, or for the path that you give. The
# leanest way of each task comes first. The last column compares the peak with the memory that
# is free on this machine.
#
# The page :doc:`/your_own_data` tells how close that comes: there, what was measured stands
# beside.

if __name__ == "__main__":
    from benchmarks import predict

    predictions = predict()
    print(predictions)

# %%
# The same on the command line, for any file:
#
# .. code-block:: console
#
#    $ .venv/bin/fmri-bench predict my_bold.nii.gz
#
# With ``--verify`` it also runs the ways that fit, and prints what was measured beside.
