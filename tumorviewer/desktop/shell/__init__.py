"""The window itself: its frame, menus, keys, settings, tabs and pages."""
