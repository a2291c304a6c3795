"""The window. Nothing in this room imports torch: answers come from the worker process."""
