"""Pages that are one HTML file, with charts."""
