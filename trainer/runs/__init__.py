"""From data to a bundle: single runs, cross-validation, search and ensembles."""
