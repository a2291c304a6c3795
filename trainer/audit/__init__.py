"""What a data set is worth, before anything is trained on it."""
