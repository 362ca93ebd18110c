"""What examples call: the ways of a task side by side, on files, lengths, workers and tools."""
