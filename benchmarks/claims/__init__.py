"""Sentences against measurements: what a page states, and what the results say of it."""
