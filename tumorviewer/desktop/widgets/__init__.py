"""Widgets and the theme that every wing uses."""
