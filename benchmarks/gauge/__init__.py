"""Time and memory of one call, in the whole process tree that it starts."""
