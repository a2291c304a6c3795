"""Measures of how far a trained model may be believed, made on what it was not trained on."""
