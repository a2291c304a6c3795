"""Training between sites that keep their data."""
