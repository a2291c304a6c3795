"""What leaves the window for the hospital, and what comes from there: reports and archives."""
