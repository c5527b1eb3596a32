"""Content-addressed encrypted files."""
