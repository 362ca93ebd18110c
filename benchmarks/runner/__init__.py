"""A call in an interpreter of its own: ordered, launched, kept, worked off, in turns."""
