"""What the window does without widgets: loading, inference, records, settings, jobs."""
