"""What does not yet keep the rules of ``test_structure.py``: these only become fewer."""

CLASSES = {
    "Batch", "Chart", "Choice", "Form", "Item", "Job", "Judge", "Known", "Option", "Order",
    "Outlines", "Protocol", "Run", "Site", "State", "Table", "_Drag",
}  # fmt: skip
MODULES = {
    "augment", "batch", "commands", "config", "fit", "folds", "map_checks", "out_of_distribution",
    "panel", "protocol", "slices", "table", "thumbnails", "training_cohort", "worklist",
}  # fmt: skip
FOLDERS = {"tumorviewer/desktop", "tumorviewer/desktop/training", "tumorviewer/records"}
IN_CIRCLES = {
    "trainer.cli", "trainer.cli.commands", "trainer.cli.generative", "trainer.cli.preview",
    "trainer.evaluation.evaluate", "trainer.evaluation.overlap", "trainer.runs.fit",
    "trainer.runs.publish", "tumorviewer.desktop.gestures", "tumorviewer.desktop.marks.book",
    "tumorviewer.desktop.marks.keeper", "tumorviewer.desktop.viewport",
}  # fmt: skip
BARE_FUNCTIONS = {
    "add",
    "begin",
    "build",
    "check",
    "find",
    "load",
    "measure",
    "of",
    "read",
    "run",
    "write",
}
WORDS = {
    "analyst",
    "clerk",
    "familiarity",
    "mark",
    "marks",
    "mourn",
    "shelf",
    "twin",
    "twins",
    "wear",
}
