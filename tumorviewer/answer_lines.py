"""Answers and findings as lines of text, from what ``classify --json`` prints."""

from __future__ import annotations

from typing import Any

from tumorviewer.language import number, percent, tr
from tumorviewer.terminal import plain_text


def study_lines(answer: dict[str, Any], labels: dict[str, str]) -> list[str]:
    """The answer for a study, and what it rests on."""
    names = [tr(labels.get(name, name)) for name in answer["named_classes"]]
    headline = {
        "kind": " / ".join(names),
        "no_tumour": tr("No tumour found"),
        "cannot_say": tr("Cannot say"),
    }[answer["answer"]]
    lines = [plain_text(answer["source"]), f"  {tr('study')}: {headline}"]
    if answer["reason"]:
        lines += [f"  {plain_text(answer['reason'])}"]
    if read := answer["series_read"]:
        lines += [f"  {tr('read')}: {plain_text(read['title'])}"]
    lines += [f"  {tr('doubt')}: {plain_text(doubt)}" for doubt in answer["doubts"]]
    for count, one in enumerate(answer["candidates"], 1):
        kinds = " / ".join(tr(labels.get(name, name)) for name in one["named_classes"])
        lines += [f"  {tr('candidate {n}', n=count)}: {kinds}, {_extent(one)}"]
        if one["mask"]:
            lines += [f"    {tr('outline')}: {one['mask']}"]
    return lines


def _extent(candidate: dict[str, Any]) -> str:
    first, last = candidate["slices"][0] + 1, candidate["slices"][-1] + 1
    said = tr("slices {first} to {last}", first=first, last=last)
    if candidate["volume_ml"] is None or candidate["diameters_mm"] is None:
        return said
    longest, across = candidate["diameters_mm"]
    size = f"{number(longest)} × {number(across)} mm"
    return f"{number(candidate['volume_ml'], '.1f')} ml, {size}, {said}"


def finding_lines(finding: dict[str, Any], labels: dict[str, str]) -> list[str]:
    """What a model says of one volume."""
    from tumorviewer.study.volume_labels import translate_label

    is_outside = (finding["kind"] or {}).get("level") == "outside"
    shares = {} if is_outside else finding["probabilities"]
    ranked = sorted(shares.items(), key=lambda item: -item[1])
    volume = f" ({plain_text(translate_label(finding['volume']))})" if finding["volume"] else ""
    shown = ", ".join(str(index + 1) for index in finding["key_slices"])
    lines = [f"{plain_text(finding['source'])}{volume}"]
    lines += [f"  {tr(labels.get(name, name)):20} {percent(share, 1):>8}" for name, share in ranked]
    lines += [f"  {plain_text(finding['explanation'])}"]
    judged = len(finding["slices"])
    lines += ["  " + tr("deciding slices: {shown} of {n} judged", shown=shown, n=judged)]
    model = finding["model"]
    lines += [f"  {tr('model')}: {model['name']} {model['version']}, {finding['device']}"]
    if finding["saliency"] and finding["saliency"]["file"]:
        lines += [f"  {tr('saliency map')}: {finding['saliency']['file']}"]
    told = [*finding["flags"], *(note["text"] for note in finding["notes"])]
    return lines + [f"  {tr('note')}: {plain_text(one)}" for one in told]
