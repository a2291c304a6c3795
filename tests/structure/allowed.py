"""What does not yet keep the rules of ``test_structure.py``: these only become fewer."""

CLASSES: set[str] = {
    "Known",
    "Outlines",
}
MODULES: set[str] = {
    "app",
    "augment",
    "config",
    "fit",
    "out_of_distribution",
    "slices",
    "table",
    "thumbnails",
    "training_cohort",
}
FOLDERS: set[str] = {"tumorviewer/records"}
IN_CIRCLES: set[str] = set()
BARE_FUNCTIONS: set[str] = {
    "begin",
    "build",
    "check",
    "find",
    "load",
    "measure",
    "of",
    "read",
    "write",
}
WORDS: set[str] = {
    "familiarity",
    "mark",
    "twins",
}
