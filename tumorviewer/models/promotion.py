"""One model takes the place of another only with evidence, and there is a way back.

The gate: a paired comparison with the model in use, on the locked test set, that the candidate's
training did not see and that has cases of all that it can answer; no class, and no measure of
trust, may be lost. The first comparison that is accepted locks its test set; a recorded override
may pass the gate, and locks the test set of the comparison that it brings, if any.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tumorviewer.errors import InputError
from tumorviewer.files import replace_atomically
from tumorviewer.language import percent, tr
from tumorviewer.models import bundle, journal
from tumorviewer.models import comparison as comparisons
from tumorviewer.models.card import ModelCard
from tumorviewer.models.catalogue import DEFAULT, Catalogue
from tumorviewer.models.comparison import (
    BETTER,
    FEW_GROUPS,
    NOT_WORSE,
    ComparedModel,
    Comparison,
    TestSet,
)
from tumorviewer.models.journal import PROMOTE, ROLL_BACK, Change


def promote_model(
    catalogue: Catalogue,
    name: str,
    user: str,
    comparison: Path | None = None,
    override: str = "",
) -> Change:
    """Make a model of the catalogue the one that is used unasked.

    Parameters
    ----------
    user
        Who does it, for the journal.
    comparison
        The file that ``tumorviewer-train compare`` wrote.
    override
        Why it is done although the gate has objections; they are not asked for then.

    Raises
    ------
    InputError
        If the gate has objections, the model is damaged or in use already, or the user's folder
        cannot be changed.
    """
    with catalogue.changing() as root:
        changes = _settled(catalogue, root)
        card, known = bundle.verify_bundle(catalogue.folder(name)), read_card_in_use(catalogue)
        candidate, current = ComparedModel.of(card), ComparedModel.of(known) if known else None
        if candidate == current:
            raise InputError(name, tr("It is the model in use already."))
        evidence = comparisons.read_comparison(comparison) if comparison else None
        reasons = list(list_objections(evidence, card, known, find_locked_test_set(changes)))
        if reasons and not override.strip():
            remedy = tr("Mend that, or override it with a reason, which is recorded.")
            raise InputError(
                name, tr("It was not promoted. {reasons}", reasons=" ".join(reasons)), remedy
            )
        change = Change(
            journal.current_time(), user, PROMOTE, current, candidate, evidence, override.strip()
        )
        _make(root, changes, change)
        return change


def roll_back_model(catalogue: Catalogue, user: str) -> Change:
    """Return to the model that was in use before the one in use now.

    Raises
    ------
    InputError
        If there is none, it is not there as it was, or the user's folder cannot be changed.
    """
    with catalogue.changing() as root:
        changes = _settled(catalogue, root)
        current, before = find_model_in_use(catalogue), _before(changes)
        if before is None:
            raise InputError("rollback", tr("There is no model to go back to."))
        if current is not None and current.name != changes[-1].after.name:
            reason = tr("{current} was put in use by hand, not by a promotion.", current=current)
            raise InputError("rollback", reason, tr("Promote the model that you want."))
        if ComparedModel.of(bundle.verify_bundle(catalogue.folder(before.name))) != before:
            reason = tr("It is not what it was when it was in use.")
            raise InputError(before.name, reason, tr("Promote the model that you want."))
        change = Change(journal.current_time(), user, ROLL_BACK, current, before)
        _make(root, changes, change)
        return change


def list_objections(
    comparison: Comparison | None,
    candidate: ModelCard,
    current: ModelCard | None,
    test_set: TestSet | None,
) -> Iterator[str]:
    """Why the gate does not let a candidate pass, a sentence each; none: it may pass.

    Parameters
    ----------
    current
        The model in use, if it can be read.
    test_set
        The locked one, if one is locked yet.
    """
    yield from _forgotten(candidate, current)
    yield from _untrusted(candidate, current)
    if comparison is None:
        yield tr("There is no comparison with the model in use.")
        return
    if comparison.candidate.sha256 != candidate.weights.sha256:
        yield tr(
            "The comparison is of other weights than those of {candidate}.",
            candidate=ComparedModel.of(candidate),
        )
    if current is None or comparison.current.sha256 != current.weights.sha256:
        yield tr(
            "The comparison is with {other}; in use is {current}.",
            other=comparison.current,
            current=ComparedModel.of(current) if current else tr("none"),
        )
    yield from _shortcomings(comparison.data, candidate)
    if test_set and comparison.data.sha256 != test_set.sha256:
        yield tr(
            "It was made on {data}, not on the locked test set {name}.",
            data=comparison.data.name,
            name=test_set.name,
        )
    seen = comparison.overlap.get("candidate")
    if not isinstance(seen, int | float):
        yield tr("It is not known whether the candidate's training saw the test set.")
    elif seen != 0:
        yield tr("The candidate's training saw {seen} of the test set.", seen=percent(seen, 1))
    if comparison.verdict not in (BETTER, NOT_WORSE):
        yield tr(
            "The verdict is {verdict!r}, not {better!r} or {not_worse!r}.",
            verdict=tr(comparison.verdict),
            better=tr(BETTER),
            not_worse=tr(NOT_WORSE),
        )


def _forgotten(candidate: ModelCard, current: ModelCard | None) -> Iterator[str]:
    labels = {name: current.labels.get(name, name) for name in current.classes} if current else {}
    for name, label in labels.items():
        if name not in candidate.classes:
            yield tr(
                "The candidate cannot answer {name}, which the model in use can.", name=tr(label)
            )


def _untrusted(candidate: ModelCard, current: ModelCard | None) -> Iterator[str]:
    if current and current.trust and candidate.trust is None:
        yield tr(
            "How far the candidate may be trusted was not measured; of the model in use it was."
        )


def _shortcomings(data: TestSet, candidate: ModelCard) -> Iterator[str]:
    """Why a test set cannot show what a model is worth."""
    if data.groups < FEW_GROUPS:
        yield tr(
            "The comparison is on {n} groups; it takes {least}.", n=data.groups, least=FEW_GROUPS
        )
    if not data.classes:
        yield tr("It is not known which classes it was made on: make it again.")
        return
    for name in candidate.classes:
        if not data.classes.get(name):
            yield tr("It was made on no case of {name}.", name=tr(candidate.labels.get(name, name)))


def find_locked_test_set(changes: Sequence[Change]) -> TestSet | None:
    """The test set that a comparison must be made on."""
    return next((one.comparison.data for one in reversed(changes) if one.comparison), None)


def read_history(catalogue: Catalogue) -> tuple[Change, ...]:
    """Every change of the default model, oldest first.

    Raises
    ------
    InputError
        If the journal cannot be read.
    """
    return journal.read_journal(catalogue.own)


def find_model_in_use(catalogue: Catalogue) -> ComparedModel | None:
    """The model that is used unasked; None if it is missing or its card cannot be read."""
    card = read_card_in_use(catalogue)
    return ComparedModel.of(card) if card else None


def read_card_in_use(catalogue: Catalogue) -> ModelCard | None:
    """The card of the model that is used unasked; None if it is missing or cannot be read."""
    try:
        return bundle.read_card(catalogue.folder(catalogue.default()))
    except InputError:
        return None


def _before(changes: Sequence[Change]) -> ComparedModel | None:
    """What a roll back returns to: promotions undo in the reverse of their order."""
    stack: list[ComparedModel | None] = []
    for change in changes:
        if change.action == PROMOTE:
            stack.append(change.before)
        elif stack:
            stack.pop()
    return stack[-1] if stack else None


def _settled(catalogue: Catalogue, root: Path) -> tuple[Change, ...]:
    """The journal, after its last change is made true if that was cut short."""
    changes = journal.read_journal(root)
    if changes and changes[-1].before and find_model_in_use(catalogue) == changes[-1].before:
        _choose(root, changes[-1].after.name)
    return changes


def _make(root: Path, changes: Sequence[Change], change: Change) -> None:
    """First the journal: a change that is cut short between the two is then known."""
    journal.append_change(root, changes, change)
    _choose(root, change.after.name)


def _choose(root: Path, name: str) -> None:
    with replace_atomically(root / DEFAULT) as beside:
        beside.write_text(f"{name}\n", "utf-8")
