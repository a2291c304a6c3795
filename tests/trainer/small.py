"""Settings of a run that ends within a second."""

from __future__ import annotations

SMALL = [
    "--set=preprocessing.size=32",
    "--set=model.architecture=light",
    "--set=model.options.width=8",
    "--set=training.batch=8",
    "--set=training.warmup_epochs=0.5",
    "--set=training.ema_decay=0.9",
    "--set=split.folds=3",
    "--progress=none",
]
