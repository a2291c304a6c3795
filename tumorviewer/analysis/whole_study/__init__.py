"""What a whole study shows: the right series is read, candidates are outlined, named, answered."""
