"""
How far can a figure be trusted?
================================

How does one know how much memory a function needed?

The tools for this question look at a process now and then, or ask the system for its highest
memory so far. Both ways have gaps. This page asks several tools about calls whose need is
known beforehand, and prints what each of them says.

The page :doc:`/how_we_measure` says how the figures of this site come about.
"""

# sphinx_gallery_thumbnail_path = '_static/thumbnails/how_we_measure.svg'

# %%
# Measure a call of your own
# --------------------------
# ``measure`` takes any function and its arguments. It calls the function in new Python
# processes, some under the clock and others under the memory gauge.
#
# .. code-block:: python
#
#     from benchmarks import measure
#
#     result = measure(my_function, "my_bold.nii.gz")
#     print(result.wall_seconds.median, result.peak_bytes.median, result.kept_bytes.median)

# %%
# What other tools say
# --------------------
# The first table is about calls whose need is known. It gives the error of each tool: what it
# says, less what the call needs.
#
# ``%memit`` is run in IPython itself. It looks at the memory now and then, so that it misses
# what is short. With workers, it adds up pages that several processes share, and it counts its
# own helper process. ``memory_usage`` belongs to the same package, and looks here as often as
# it can. A thread with ``psutil`` waits whenever Python is busy. ``ru_maxrss`` is the highest
# memory in the life of a process: it grows only if a call needs more than all that was before.
# Here the same call was made once before, so that it says next to nothing. A program inherits the
# mark of the process that starts it, so that here a small one does.
#
# ``cgroup`` is what a queue counts: the kernel's own mark of a group of processes, which is how a
# batch job or a container is held to its memory. It misses no spike and counts shared pages once.
# It also counts the file that was read, which stays in the page cache. So that it is read, the
# file is dropped from there before the call. Where no cgroup can be made, there is no such column,
# and a line at the end says why.
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
# Runs are forked from a process that has imported nibabel and nilearn before. Here two methods
# are measured in such forks and in interpreters that were started for one run each, in turns.

if __name__ == "__main__":
    from benchmarks import compare_interpreters

    print(compare_interpreters())

# %%
# Why a look now and then is not enough
# -------------------------------------
# The line is the memory of one of the chapter's methods over time, as our gauge read it. The
# dots are the moments at which ``%memit`` would have looked.

if __name__ == "__main__":
    tools.plot_samples()
