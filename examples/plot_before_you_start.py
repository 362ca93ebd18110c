"""
Before you start: will it fit?
==============================

How much memory will my file need, and how long will it take, before I run anything?

What a method needs grows with the file. Every method was measured on small files of each kind:
plain and compressed, whole numbers and floats, scaled and unscaled. From these measurements
follows what a larger file would need, and only the header of that file has to be read.
"""

# %%
# For the run of this page
# ------------------------
# ``predict`` takes the path of your file; without one, it takes the run of this site. The leanest
# method of each task comes first. The last column says whether the method fits into the memory
# that is free on this machine. How close the predictions come is on the page :doc:`/will_it_fit`.

# sphinx_gallery_thumbnail_path = '_static/thumbnails/before_you_start.svg'

if __name__ == "__main__":
    from benchmarks import predict

    predictions = predict()
    print(predictions)

# %%
# The command line does the same for any file:
#
# .. code-block:: console
#
#    $ .venv/bin/fmri-bench predict my_bold.nii.gz
#
# With ``--verify``, it also runs the methods that fit, and prints what was measured beside what
# was predicted.
