"""The one error that every room raises for something the user brought."""

from __future__ import annotations


class InputError(Exception):
    """A file, bundle or request that cannot be used, said so that its reader can act.

    Parameters
    ----------
    source
        What was refused, as the user knows it: a path, a member of an archive, a model's name.
        It may hold a patient's name; it is shown, never logged.
    reason
        What is wrong with it, as one sentence without the source.
    remedy
        What the user can do about it, as one sentence; empty if nothing can be done.
    """

    def __init__(self, source: str, reason: str, remedy: str = "") -> None:
        super().__init__(source, reason, remedy)
        self.source = source
        self.reason = reason
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.source}: {self.message}"

    @property
    def message(self) -> str:
        """The reason and the remedy, without the source."""
        return f"{self.reason} {self.remedy}".strip()


class NoImageError(InputError):
    """A file that is in order, and holds no image."""


class Cancelled(Exception):  # noqa: N818 - not an error: the user asked for it
    """Raised from a progress callback to stop the work that called it."""
