"""What there is to read: the worklist, the open studies and their series, priors."""
