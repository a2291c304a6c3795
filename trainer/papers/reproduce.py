"""A paper's protocol on a data set: on the paper's kind of split and on a grouped one.

For every network of a paper (``trainer/papers``) two runs are made, an ordinary folder each: on a
random split of the pictures, as the papers split them (leaky: twins of the held-out pictures are in
training), and on one that keeps groups together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from trainer.data.material import DataSource, prepare_data
from trainer.papers.protocol import PaperProtocol
from trainer.runs.fit import fit_run
from trainer.runs.run_context import RunContext
from trainer.tools.atomic_files import write_json
from tumorviewer.errors import InputError

SPLITS = {"random": "random 5", "grouped": "fold 0"}
"""The paper's kind of split, and ours."""
RESULT = "reproduction.json"


def reproduce_paper(
    paper: PaperProtocol,
    source: DataSource,
    run: RunContext,
    overrides: Mapping[str, Any],
) -> dict[str, Any]:
    """Run every network of a protocol on both splits; finished runs are not repeated.

    A network that cannot be run here, for want of its pretrained weights for one, is listed with
    the reason, and the rest goes on.

    Parameters
    ----------
    overrides
        Tables of the configuration that are changed for all networks.
    """
    rows = []
    for label, config in paper.configs(overrides):
        row: dict[str, Any] = {"network": label}
        for split, validation in SPLITS.items():
            settings = replace(config, split=replace(config.split, validation=validation))
            folder = run.out / f"{_slug(label)}-{split}"
            run.progress.say(f"{label}, {split} split")
            try:
                material = prepare_data(source, settings.preprocessing, run.progress)
                result = fit_run(material, settings, replace(run, out=folder, resume=True))
            except InputError as problem:
                row["not_run"] = f"{problem.message} {problem.remedy}".strip()
                break
            row[split] = _row(result)
        rows.append(row)
        write_json(run.out / RESULT, _result(paper, source, rows))
    return _result(paper, source, rows)


def _result(paper: PaperProtocol, source: DataSource, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "paper": paper.name,
        "title": paper.title,
        "reported": paper.reported,
        "data": source.data.name,
        "rows": rows,
    }


def _row(result: dict[str, Any]) -> dict[str, Any]:
    figures = next(iter(result["figures"].values()))
    kept = ("n", "groups", "accuracy", "macro_f1", "twin_share", "copyist_accuracy")
    return {
        **{name: figures[name] for name in kept},
        "accuracy_interval": figures["intervals"]["accuracy"],
        "epoch": result["epoch"],
        "hours": result["hours"],
    }


def _slug(label: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in label.lower()).split())


def format_reproduction(result: dict[str, Any]) -> str:
    """The result as a Markdown table under the paper's own figure."""
    lines = [
        f"{result['title']}, on {result['data']}. The paper: {result['reported']}.",
        "",
        "| network | random split (leaky) | twins | copyist | grouped split | twins | copyist | "
        "hours |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in result["rows"]:
        if "not_run" in row:
            lines.append(f"| {row['network']} | not run: {row['not_run']} | | | | | | |")
            continue
        cells = [cell for split in SPLITS for cell in _cells(row[split])]
        hours = sum(row[split]["hours"] for split in SPLITS)
        lines.append(f"| {row['network']} | {' | '.join(cells)} | {hours:.2f} |")
    return "\n".join(lines)


def _cells(row: dict[str, Any]) -> tuple[str, str, str]:
    low, high = row["accuracy_interval"]
    return (
        f"{row['accuracy']:.1%} ({low:.1%}–{high:.1%}), n {row['n']}",
        f"{row['twin_share']:.0%}",
        f"{row['copyist_accuracy']:.1%}",
    )
