"""Predictions to metrics, curves and comparisons."""
