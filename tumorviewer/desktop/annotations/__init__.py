"""Measurements and notes on the pixels: drawn, changed, undone, listed, copied and kept."""
