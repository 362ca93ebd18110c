"""What a file would need, fitted to small files; and the least that any method could need."""
