"""Readings become stored results: quantities, statistics, provenance, and their files."""
