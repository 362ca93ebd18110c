"""The BOLD file: its header, which one is taken, its variants, and the results about each."""
