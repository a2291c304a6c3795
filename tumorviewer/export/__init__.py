"""A finding outside the program: as JSON, in words, and as files."""
