"""The same methods under several releases, and on several machines."""
