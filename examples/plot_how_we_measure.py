"""
How far can a figure be trusted?
================================

How does one know how much memory a function needed?

Common tools look at a process now and then, or ask the system for its highest memory so far. Both
approaches have gaps. This page asks several tools about calls whose need is known beforehand, and
shows what each of them says.

The page :doc:`/how_we_measure` says how the figures of this site come about.
"""

# %%
# Measure a call of your own
# --------------------------
# ``measure`` takes any function and its arguments. It calls the function in new Python processes,
# sometimes to take the time, and sometimes the memory.
#
# .. code-block:: python
#
#     from benchmarks import measure
#
#     result = measure(my_function, "my_bold.nii.gz")
#     print(result.wall_seconds.median, result.peak_bytes.median, result.kept_bytes.median)

# sphinx_gallery_thumbnail_path = '_static/thumbnails/how_we_measure.svg'

# %%
# What other tools say
# --------------------
# The first table is about calls whose need is known. It shows the error of each tool: what it
# says, minus what the call needs.
#
# ``%memit`` runs in IPython itself. It looks at memory now and then, and so misses what is short.
# With workers, it counts pages that several processes share more than once, and its own helper
# process as well. ``memory_usage`` belongs to the same package, and looks as often as it can here.
# A thread with ``psutil`` waits whenever Python is busy. ``ru_maxrss`` is the highest memory in
# the life of a process, and grows only if a call needs more than anything before it. Here the same
# call was made once before, so that ``ru_maxrss`` says next to nothing. A program inherits the
# mark of the process that starts it; here a small process does.
#
# ``cgroup`` is what a queue counts: the kernel's own mark for a group of processes. It also counts
# the file that was read, which stays in the page cache. The file is dropped from there before the
# call, so that it is read anew. Where no cgroup can be made, there is no such column, and a line
# at the end says why.
#
# Our gauge finds any spike, however short, of a process that lives for some milliseconds. One that
# ends sooner may be missed. Each tool was asked once about each call.
#
# The second table has two methods of the chapter. Nobody knows beforehand what they need.
#
# The line below the tables is about processor time. ``%time`` does not see the time of workers
# that are still alive.

if __name__ == "__main__":
    from benchmarks import compare_tools

    tools = compare_tools()
    print(tools)

# %%
# Forked and fresh interpreters
# -----------------------------
# Each process that measures is forked from one that has imported nibabel and nilearn already. Here
# two methods are measured in such forks, and in interpreters that were started for one call each,
# in turns. The figures are medians of three repeats. Both methods read a short run; much shorter
# calls, and methods with workers, are not compared.

if __name__ == "__main__":
    from benchmarks import compare_interpreters

    print(compare_interpreters())

# %%
# Why a look now and then is not enough
# -------------------------------------
# The line is the memory of one of the chapter's methods over time, as our gauge read it. The dots
# are the moments at which ``%memit`` would have looked.

if __name__ == "__main__":
    tools.plot_samples()
