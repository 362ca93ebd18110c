"""Results for readers: tables, plots and captions."""
