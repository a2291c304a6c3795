"""Prints the figures of the structure of one checkout or several, side by side.

python tests/structure/measure_structure.py [--no-traces] CHECKOUT…
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.structure.code_facts import Code, circles, layers, lines, repeated

_BARE = ("of", "read", "load", "measure")
_SHOWN = ("shown_changed", "snapshot_changed")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table: a line for each figure, a column for each checkout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkouts", nargs="+", type=Path, metavar="CHECKOUT")
    parser.add_argument("--no-traces", action="store_true", help="only what the source says")
    options = parser.parse_args(arguments)
    columns = []
    for checkout in options.checkouts:
        figures = read_figures(checkout.resolve())
        if not options.no_traces:
            figures |= trace_figures(checkout.resolve())
        columns.append(figures)
    names = [checkout.name for checkout in options.checkouts]
    print(f"| | {' | '.join(names)} |\n| --- |{' --- |' * len(names)}")
    for name in columns[0]:
        print(f"| {name} | {' | '.join(str(column[name]) for column in columns)} |")


def read_figures(root: Path) -> dict[str, object]:
    """What the source says."""
    code = Code(root)
    rings = circles(code.imports)
    folders = Counter(code.folders())
    signals = code.signals()
    functions = code.functions()
    product = lines(root, "tumorviewer", "trainer")
    return {
        "modules": len(code.modules),
        "largest folders": ", ".join(f"{name} {n}" for name, n in folders.most_common(3)),
        "parts, arrows, layers of `desktop`": _shape(code.parts_of("tumorviewer.desktop")),
        "parts, arrows, layers of `trainer`": _shape(code.parts_of("trainer")),
        "modules in circles of imports": "; ".join(" ↔ ".join(ring) for ring in rings) or 0,
        "modules with one importer": len(code.only_importers()),
        "class names that stand more than once": len(repeated(code.classes())),
        "module names that stand more than once": len(repeated(code.module_names())),
        "files that define " + ", ".join(f"`{name}`" for name in _BARE): ", ".join(
            str(len(functions.get(name, ()))) for name in _BARE
        ),
        "… as a function of the module": ", ".join(
            str(len(code.functions(at_top=True).get(name, ()))) for name in _BARE
        ),
        "signals that carry `object`, of": f"{_untyped(signals)}, {len(signals)}",
        "listeners of what is shown": code.listeners(*_SHOWN),
        "places in the window that hold a finding": len(
            code.holders("Finding", "tumorviewer.desktop")
        ),
        "lines of MainWindow": code.class_lines("MainWindow"),
        "most parameters of a function of `fit`": code.most_parameters("fit"),
        "tests : code, in lines": f"{lines(root, 'tests') / product:.2f}",
    }


def trace_figures(root: Path) -> dict[str, object]:
    """What runs."""
    dropped = run_trace("drop", root)["files"]
    window = [file for file in dropped if file.startswith("desktop/")]
    fit = run_trace("fit", root)
    modules = Counter(fit["entered"])
    entered = ", ".join(f"{name} {n}" for name, n in modules.most_common(3))
    return {
        "files handed what was dropped: of the window, of all": f"{len(window)}, {len(dropped)}",
        "from folder to bundle: functions of other modules, modules": (
            f"{len(fit['steps'])}, {len(modules)}"
        ),
        "… most often entered": entered,
    }


def run_trace(what: str, root: Path) -> Mapping[str, list[str]]:
    """Run one trace of ``traces.py`` on a checkout."""
    script = Path(__file__).with_name("traces.py")
    with tempfile.TemporaryDirectory() as out:
        environment = os.environ | {
            "PYTHONPATH": str(root), "QT_QPA_PLATFORM": "offscreen", "OMP_NUM_THREADS": "1",
            "TUMORVIEWER_HOME": f"{out}/home", "TUMORVIEWER_LANGUAGE": "en",
        }  # fmt: skip
        command = [sys.executable, str(script), what, str(root), out]
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        found: Mapping[str, list[str]] = json.loads(Path(out, f"{what}.json").read_text("utf-8"))
    return found


def _shape(parts: Mapping[str, frozenset[str]]) -> str:
    return f"{len(parts)}, {sum(map(len, parts.values()))}, {layers(parts)}"


def _untyped(signals: Sequence[ast.Call]) -> int:
    return sum(
        any(isinstance(each, ast.Name) and each.id == "object" for each in call.args)
        for call in signals
    )


if __name__ == "__main__":
    main()
