"""The database that the records lie in: its file, its tables, its migrations and its locks."""
