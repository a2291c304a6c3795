"""Outlines of candidates over the images."""
