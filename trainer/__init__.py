"""Labelled studies to a fine-tuned model in the catalogue, with its evidence."""
