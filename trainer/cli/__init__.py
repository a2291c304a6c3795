"""The command line: ``tumorviewer-train`` and ``python -m trainer``."""

from trainer.cli.app import main

__all__ = ["main"]
