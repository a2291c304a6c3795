"""What of a data set's audit a person must know, in sentences of the user's language.

The trainer writes the numbers (``audit.json``, and the card of a model that was trained on the
data) and says them in English; the window says them in the language of its reader.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tumorviewer.language import later, percent, tr, trn

UNEVEN = 3
"""So many times the groups of the rarest class make classes uneven."""
FEW = 20
"""Groups of a class, below which its figures are uncertain."""
_PARTS = {"val": later("validation part"), "test": later("test part")}
_Audit = Mapping[str, Any]


def of_audit(found: _Audit) -> list[str]:
    """Sentences, the gravest first.

    Parameters
    ----------
    found
        What ``audit.json`` holds, or the audit on a card; what it lacks is not spoken of.
    """
    return [sentence for rule in _RULES for sentence in rule(found) if sentence]


def _conflicts(found: _Audit) -> list[str]:
    if not (groups := found.get("groups_with_several_labels", 0)):
        return []
    items = trn("{count} item in all", "{count} items in all", found["items_in_them"])
    pairs = trn("{count} pair of copies with two labels", "{count} pairs of copies with two labels",
                found["pairs_with_two_labels"])  # fmt: skip
    return [
        trn("{count} group carries several labels ({items}, {pairs}): of such copies one label "
            "is wrong.",
            "{count} groups carry several labels ({items}, {pairs}): of such copies one label "
            "is wrong.",
            groups, items=items, pairs=pairs)
    ]  # fmt: skip


def _splits(found: _Audit) -> list[str]:
    said = [
        tr("{share} of the {part} have a near-duplicate in the training part: figures on it say in "
           "part how well a model remembers.",
           share=percent(share, 1), part=tr(_PARTS[part]))
        for part, share in found.get("twin_share_between_splits", {}).items()
        if share
    ]  # fmt: skip
    if count := found.get("patients_in_several_splits"):
        said.append(
            trn("{count} patient has items in several parts of the official split.",
                "{count} patients have items in several parts of the official split.", count)
        )  # fmt: skip
    if count := found.get("pairs_in_two_groups"):
        said.append(
            trn("{count} near-duplicate pair lies in different groups: splits by them leak.",
                "{count} near-duplicate pairs lie in different groups: splits by them leak.", count)
        )  # fmt: skip
    return said


def _against(found: _Audit) -> list[str]:
    other = found.get("against")
    if not other or not (other["pairs"] or other["patients_in_both"]):
        return []
    said = [
        tr("{there} of the items have a near-duplicate in {data}, and {here} of its items have one "
           "here: a model trained on one is not tested by the other.",
           there=percent(other["share_with_a_twin_there"], 1), data=other["data"],
           here=percent(other["share_of_those_with_a_twin_here"], 1))
    ]  # fmt: skip
    if count := other["pairs_with_two_labels"]:
        said.append(
            trn("{count} pair between the two with two labels.",
                "{count} pairs between the two with two labels.", count)
        )  # fmt: skip
    if count := other["patients_in_both"]:
        said.append(trn("{count} patient is in both.", "{count} patients are in both.", count))
    return said


def _synthetic(found: _Audit) -> list[str]:
    if not (count := found.get("synthetic")):
        return []
    return [
        trn("{count} item says that a generator made it: it may not be judged on.",
            "{count} items say that a generator made them: none of them may be judged on.", count)
    ]  # fmt: skip


def _unreadable(found: _Audit) -> list[str]:
    said = []
    if count := found.get("unreadable"):
        said.append(
            trn("{count} item that cannot be read: left out.",
                "{count} items that cannot be read: left out.", count)
        )  # fmt: skip
    if names := found.get("blank_items"):
        said.append(
            trn("{count} item with nothing to see: nearly all pixels alike.",
                "{count} items with nothing to see: nearly all pixels alike.", len(names))
        )  # fmt: skip
    return said


def _copies(found: _Audit) -> list[str]:
    if not (twins := found.get("items_with_a_near_duplicate")):
        return []
    return [
        tr("{twins} of {items} items ({share}) have a near-duplicate among them; count {groups} "
           "groups, not items, and split by them.",
           twins=twins, items=found["items"], share=percent(twins / found["items"], 1),
           groups=found["groups"])
    ]  # fmt: skip


def _balance(found: _Audit) -> list[str]:
    groups = found["groups_of_classes"]
    least, most = min(groups, key=groups.get), max(groups, key=groups.get)
    said = []
    if groups[most] > UNEVEN * groups[least]:
        said.append(
            tr("The classes are uneven: {many} groups of {most}, {few} of {least}.",
               many=groups[most], most=most, few=groups[least], least=least)
        )  # fmt: skip
    said += [
        trn("The class {name} has only {count} group: its figures will be uncertain.",
            "The class {name} has only {count} groups: its figures will be uncertain.",
            count, name=name)
        for name, count in groups.items()
        if count < FEW
    ]  # fmt: skip
    return said


def _shortcuts(found: _Audit) -> list[str]:
    return [describe_shortcut(one) for one in found.get("shortcuts", ()) if one["is_telling"]]


def describe_shortcut(found: Mapping[str, Any]) -> str:
    """How well the class is told by something other than the head."""
    by = str(found["by"])  # one of those that trainer.audit.shortcuts marks
    values = {
        "by": tr(by),
        "share": percent(found["balanced_accuracy"]),
        "chance": percent(found["chance"]),
    }
    if found["visible"]:
        return tr("By {by} alone the class is told in {share} (chance {chance}): a model may learn "
                  "that instead.", **values)  # fmt: skip
    return tr("By {by} alone the class is told in {share} (chance {chance}). No model sees that, "
              "but where it stands for the source, class and source are confounded.",
              **values)  # fmt: skip


def _volumes(found: _Audit) -> list[str]:
    rule = found.get("slices", "refuse")
    if not found.get("volumes") or rule == "refuse":
        return []
    if rule == "all":
        return [
            tr("Of volumes for which no table states the slices every slice carries the label of "
               "the volume, by rule and not by reading.")
        ]  # fmt: skip
    return [
        tr("Of volumes for which no table states the slices the middle {n} carry the label of the "
           "volume, by rule and not by reading.", n=str(rule).removeprefix("middle "))
    ]  # fmt: skip


_RULES: tuple[Callable[[_Audit], list[str]], ...] = (
    _conflicts,
    _splits,
    _against,
    _synthetic,
    _unreadable,
    _copies,
    _balance,
    _shortcuts,
    _volumes,
)
