"""Labelled items, their prepared images, near-duplicates, groups and splits."""
