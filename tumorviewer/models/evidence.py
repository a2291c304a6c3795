"""What stands behind a model's figures, in sentences of the user's language.

How its weights were chosen, what of the judged items its training saw, and how it compares with
another one: the trainer writes the facts and says them in English, the window in the language of
its reader.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from tumorviewer.language import later, number, percent, tr
from tumorviewer.models.comparison import BETTER, FEW_GROUPS, NOT_WORSE, UNDECIDED, WORSE

_SHARES = {"accuracy": later("Accuracy"), "macro_f1": later("F1")}
_DECIDING = (*_SHARES, "log_loss")
"""The figures that the verdict goes by."""
_MONITORS = {"log_loss": later("log loss"), "macro_f1": later("F1")}
_VERDICTS = {
    BETTER: later("{candidate} is better than {current}."),
    NOT_WORSE: later("{candidate} is not worse than {current}, by 2 percentage points of accuracy "
                     "and F1 at most."),
    WORSE: later("{candidate} is worse than {current}."),
    UNDECIDED: later("Whether {candidate} is better or worse than {current} cannot be said."),
}  # fmt: skip


class OverlapBasis(StrEnum):
    """How it is known what of the judged items a model's training saw."""

    NOTHING = "nothing"
    SAME_DATA = "same data"
    VALIDATION = "validation"
    FILES = "files"
    TABLE = "table"
    OUT_OF_FOLD = "out-of-fold table"


_SEEN = {
    OverlapBasis.NOTHING: later("Whether the items were in the training data is not known."),
    OverlapBasis.SAME_DATA: later("The items are the very data that the model was made from."),
    OverlapBasis.TABLE: later(
        "Its predictions were read from a table, which does not say what the model has seen."
    ),
    OverlapBasis.OUT_OF_FOLD: later(
        "Its predictions were read from a table, which does not say what the model has seen; they "
        "are out-of-fold ones."
    ),
}


def describe_overlap(overlap: Mapping[str, Any]) -> str:
    """Whether a model has seen what it is judged on.

    Parameters
    ----------
    overlap
        ``known``, an :class:`OverlapBasis`; ``is_leaky``; ``in_files``, the share whose files it
        was trained on; ``twins``, the share with a near-duplicate in what the user says it was
        trained on, or None.
    """
    twins = overlap["twins"]
    if twins is None:
        return _by_card(overlap)
    words = tr("{share} of the items are in the training data named, or have a twin there.",
               share=percent(twins, 1))  # fmt: skip
    return words if overlap["known"] == OverlapBasis.NOTHING else f"{_by_card(overlap)} {words}"


def _by_card(overlap: Mapping[str, Any]) -> str:
    known = OverlapBasis(overlap["known"])
    if known in _SEEN:
        return tr(_SEEN[known])
    if known is OverlapBasis.FILES and overlap["in_files"]:
        return tr("{share} of the items were in the model's training or validation data.",
                  share=percent(overlap["in_files"], 1))  # fmt: skip
    if known is OverlapBasis.FILES:
        return tr("No item's file was in the model's training data; copies saved anew may have "
                  "been.")  # fmt: skip
    if overlap["is_leaky"]:
        return tr("The items are the model's own validation part, which chose the epoch and the "
                  "temperature; a leaky random split: twins of its items were in "
                  "training.")  # fmt: skip
    return tr("The items are the model's own validation part, which chose the epoch and the "
              "temperature: the figures are slightly optimistic.")  # fmt: skip


def describe_comparison(found: Mapping[str, Any]) -> str:
    """The verdict of a comparison and what it rests on, from what ``compare`` writes."""
    names = {side: _name(found[side]) for side in ("candidate", "current")}
    figures, data = found["figures"], found["data"]
    said = [tr(_VERDICTS[found["verdict"]], **names)]
    clear = [name for name in _DECIDING if _is_clear(figures[name])]
    said += [_difference(name, figures[name]) for name in dict.fromkeys(("accuracy", *clear))]
    said.append(tr("On {items} items in {groups} groups.", items=data["n"], groups=data["groups"]))
    if data["groups"] < FEW_GROUPS:
        said.append(tr("With so few groups the intervals are themselves uncertain."))
    notes = {
        side: describe_overlap(one) for side, one in found["seen"].items() if one["share"] != 0
    }
    if len(notes) == 2 and len(set(notes.values())) == 1:
        return " ".join([*said, tr("For both: {words}", words=notes["current"])])
    return " ".join([*said, *(f"{names[side]}: {words}" for side, words in notes.items())])


def _name(model: Mapping[str, Any]) -> str:
    return f"{model['name']} {model['version']}".strip()


def _is_clear(figure: Mapping[str, Any]) -> bool:
    """Whether the interval of the difference lies on one side of none."""
    low, high = figure["interval"]
    return low is not None and high is not None and (low > 0 or high < 0)


def _difference(name: str, one: Mapping[str, Any]) -> str:
    low, high = one["interval"]
    if name == "log_loss":
        return tr("Log loss {candidate} against {current}, {change} ({low} to {high}) nats.",
                  candidate=number(one["candidate"], ".3f"), current=number(one["current"], ".3f"),
                  change=_signed(one["difference"], ".3f"), low=_signed(low, ".3f"),
                  high=_signed(high, ".3f"))  # fmt: skip
    return tr("{figure} {candidate} against {current}, {change} percentage points ({low} to "
              "{high}).", figure=tr(_SHARES[name]), candidate=percent(one["candidate"], 1),
              current=percent(one["current"], 1), change=_signed(100 * one["difference"], ".1f"),
              low=_signed(100 * low, ".1f"), high=_signed(100 * high, ".1f"))  # fmt: skip


def _signed(value: float, form: str) -> str:
    return number(value, f"+{form}").replace("-", "−")


def describe_selection(training: Mapping[str, Any]) -> str:
    """How epoch and temperature of a model were chosen, from the ``training`` of its card."""
    said = [_chosen(training)]
    if share := training.get("initial_weights", {}).get("held_out_seen"):
        said.append(
            tr("The model that it started from had been trained on {share} of the part judged.",
               share=percent(share))
        )  # fmt: skip
    return " ".join(said)


def _chosen(training: Mapping[str, Any]) -> str:
    split, settings = training["split"], training["config"]["training"]
    if not split["validation_items"]:
        if "figures_from" in training:
            return tr("Trained on every item for a fixed number of epochs. Figures and temperature "
                      "are out-of-fold ones of a grouped cross-validation.")  # fmt: skip
        return tr("Trained on every item for a fixed number of epochs. No figures: no validation "
                  "was made.")  # fmt: skip
    if settings["keep"] == "last":
        return tr("The last epoch.") + " " + _fitted(split)
    monitor = _MONITORS[settings["monitor"]]
    how = tr("The best epoch by {monitor} on the validation part.", monitor=tr(monitor))
    return f"{how} {_fitted(split)}"


def _fitted(split: Mapping[str, Any]) -> str:
    if split["test_items"]:
        return tr("The temperature was fitted on the validation part. The figures are of a part "
                  "that chose nothing.")  # fmt: skip
    if split["is_leaky"]:
        return tr("The temperature was fitted on the part that is judged: a leaky random split, "
                  "twins of its items were trained on.")  # fmt: skip
    return tr("The temperature was fitted on the part that is judged: the figures are slightly "
              "optimistic.")  # fmt: skip
