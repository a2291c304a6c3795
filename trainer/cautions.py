"""What of an audit a person must know, in sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_UNEVEN = 3
_FEW = 20
_Said = dict[str, Any]


def of_audit(found: _Said) -> list[str]:
    """Sentences, the gravest first."""
    return [sentence for rule in _RULES for sentence in rule(found) if sentence]


def _count(number: int, one: str, several: str = "") -> str:
    return f"{number} {one if number == 1 else several or one + 's'}"


def _conflicts(found: _Said) -> list[str]:
    if not found["groups_with_several_labels"]:
        return []
    groups = found["groups_with_several_labels"]
    return [
        f"{_count(groups, 'group carries', 'groups carry')} several labels "
        f"({_count(found['items_in_them'], 'item')} in all, "
        f"{_count(found['pairs_with_two_labels'], 'pair')} of copies with two labels): "
        "of such copies one label is wrong."
    ]


def _splits(found: _Said) -> list[str]:
    said = [
        f"{100 * share:.1f} % of the {part} part have a near-duplicate in the training part: "
        "figures on it say in part how well a model remembers."
        for part, share in found["twin_share_between_splits"].items()
        if share
    ]
    if count := found["patients_in_several_splits"]:
        patients = _count(count, "patient has", "patients have")
        said.append(f"{patients} items in several parts of the official split.")
    if count := found["pairs_in_two_groups"]:
        pairs = _count(count, "near-duplicate pair lies", "near-duplicate pairs lie")
        said.append(f"{pairs} in different groups: splits by them leak.")
    return said


def _against(found: _Said) -> list[str]:
    other = found.get("against")
    if not other or not (other["pairs"] or other["patients_in_both"]):
        return []
    said = [
        f"{100 * other['share_with_a_twin_there']:.1f} % of the items have a near-duplicate in "
        f"{other['data']}, and {100 * other['share_of_those_with_a_twin_here']:.1f} % of its items "
        "have one here: a model trained on one is not tested by the other."
    ]
    if other["pairs_with_two_labels"]:
        said.append(
            f"{_count(other['pairs_with_two_labels'], 'pair')} between the two with two labels."
        )
    if other["patients_in_both"]:
        said.append(f"{_count(other['patients_in_both'], 'patient is', 'patients are')} in both.")
    return said


def _synthetic(found: _Said) -> list[str]:
    if not (count := found["synthetic"]):
        return []
    return [f"{count} items say that a generator made them: none of them may be judged on."]


def _unreadable(found: _Said) -> list[str]:
    said = []
    if count := found["unreadable"]:
        said.append(f"{_count(count, 'item')} that cannot be read: left out.")
    if names := found.get("blank_items"):
        said.append(f"{_count(len(names), 'item')} with nothing to see: nearly all pixels alike.")
    return said


def _copies(found: _Said) -> list[str]:
    if not (twins := found["items_with_a_near_duplicate"]):
        return []
    share = 100 * twins / found["items"]
    return [
        f"{twins} of {found['items']} items ({share:.1f} %) have a near-duplicate among them; "
        f"count {found['groups']} groups, not items, and split by them."
    ]


def _balance(found: _Said) -> list[str]:
    groups = found["groups_of_classes"]
    least, most = min(groups, key=groups.get), max(groups, key=groups.get)
    said = []
    if groups[most] > _UNEVEN * groups[least]:
        said.append(
            f"The classes are uneven: {groups[most]} groups of {most}, {groups[least]} of {least}."
        )
    said += [
        f"The class {name} has only {_count(count, 'group')}: its figures will be uncertain."
        for name, count in groups.items()
        if count < _FEW
    ]
    return said


def _shortcuts(found: _Said) -> list[str]:
    return [one["words"] for one in found["shortcuts"] if one["is_telling"]]


def _volumes(found: _Said) -> list[str]:
    if not found["volumes"] or found["slices"] == "refuse":
        return []
    which = "every slice carries" if found["slices"] == "all" else f"the {found['slices']} carry"
    return [
        f"Of volumes for which no table states the slices {which} the label of the volume, by rule "
        "and not by reading."
    ]


_RULES: tuple[Callable[[_Said], list[str]], ...] = (
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
