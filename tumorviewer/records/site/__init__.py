"""How readers and model agree at this site, and whether that drifts."""
