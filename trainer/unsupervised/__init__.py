"""Pretraining without labels, and synthetic images."""
