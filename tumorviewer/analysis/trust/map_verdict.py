"""What the checks of one slice's saliency map found, and the verdict in words. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tumorviewer.language import later, number, percent, tr

LEAST_FAITHFUL = 0.0
LEAST_AGREEMENT = 0.0
LEAST_STABLE = 0.4
LEAST_INSIDE = 0.6
"""Below these a map fails. About nineteen in twenty of the default model's maps of held-out tumours
reach each of them; a random map is not stable."""

WHAT_IS_CHECKED = later(
    "Deletion − insertion (ROAD): how much more the class’s probability falls when the pixels that "
    "the map marks are replaced by their surroundings than when the others are. Agreement: rank "
    "correlation with two other methods. Stability: with the map of the slice with a little noise, "
    "and of the slice mirrored. Inside the head: the share of the map that is."
)
NO_EVIDENCE = later("The model finds nothing on this slice that speaks for the class.")
NO_TUMOUR = later("The model calls this slice free of tumour: there is nothing to point at.")


@dataclass(frozen=True)
class MapCheck:
    """How far the saliency map of one slice may be believed."""

    index: int
    """Of the slice in the volume."""
    method: str
    target: str
    against: str = ""
    nothing: str = ""
    """Why there is nothing to point at; the figures are then None."""
    deletion: float | None = None
    """How far the class's probability falls when the most relevant pixels are imputed from their
    neighbours, mean over the shares removed (ROAD, Rong et al., ICML 2022)."""
    insertion: float | None = None
    """The same with the least relevant pixels imputed: what is left when only the most relevant
    are kept."""
    agreement: float | None = None
    """Mean rank correlation with the maps of :attr:`others`."""
    others: tuple[str, ...] = ()
    stability: float | None = None
    """The lower rank correlation of the two with the map of the slice with a little noise, and of
    the slice mirrored; None for a slow method."""
    inside: float | None = None
    """Share of the map inside the head."""

    @property
    def faithful(self) -> float | None:
        """ROAD: deletion minus insertion; positive if the map marks what matters."""
        if self.deletion is None or self.insertion is None:
            return None
        return self.deletion - self.insertion

    @property
    def verdict(self) -> Literal["passes", "fails", "nothing"]:
        """Whether the map may be shown as evidence."""
        if self.nothing:
            return "nothing"
        return "fails" if failure_reasons(self) else "passes"


def failure_reasons(check: MapCheck) -> tuple[str, ...]:
    """Why a map fails, in sentences; none if it passes."""
    failed = (
        (
            check.faithful,
            LEAST_FAITHFUL,
            later("Hiding what it marks changes little."),
        ),
        (check.agreement, LEAST_AGREEMENT, later("Other methods point elsewhere.")),
        (check.stability, LEAST_STABLE, later("It changes with noise or mirroring.")),
        (check.inside, LEAST_INSIDE, later("Much of it lies outside the head.")),
    )
    return tuple(tr(words) for value, least, words in failed if value is not None and value < least)


def describe_check(check: MapCheck) -> str:
    """The verdict and its figures in a line or two, as the window shows them."""
    if check.nothing:
        return tr(check.nothing)
    figures = (
        (check.faithful, later("deletion − insertion {value}"), _signed),
        (check.agreement, later("agreement {value}"), _two),
        (check.stability, later("stability {value}"), _two),
        (check.inside, later("inside the head {value}"), percent),
    )
    said = [tr(text, value=form(value)) for value, text, form in figures if value is not None]
    return tr("Checked: {figures}.", figures=", ".join(said))


def _two(value: float) -> str:
    return number(value, ".2f")


def _signed(value: float) -> str:
    return number(value, "+.2f")
