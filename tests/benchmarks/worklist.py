"""Milliseconds that filters of a worklist of many studies take, as the window asks for them.

Run as ``python tests/benchmarks/worklist.py [STUDIES]`` (1,000 unless told): each filter is run 30
times and answers with finished entries; beside them, what a change costs and how long opening
takes. The time of the processor tells a slow filter from a busy machine. Prints one JSON object.
Goal: any filter under 50 ms with 1,000 studies.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tumorviewer.records import Records, StudyState, WorklistOrder, WorklistQuery
from tumorviewer.records.storage.tables import studies

RUNS = 30
CLASSES = ("glioma", "meningioma", "notumor", "pituitary")
QUERIES = {
    "everything": WorklistQuery(),
    "by tumour": WorklistQuery(order=WorklistOrder.TUMOUR),
    "by doubt": WorklistQuery(order=WorklistOrder.DOUBT),
    "two words": WorklistQuery("brain doe12"),
    "no hit": WorklistQuery("nowhere to be found"),
    "class": WorklistQuery(classes=("glioma",)),
    "states": WorklistQuery(states=(StudyState.READ, StudyState.SIGNED)),
    "year": WorklistQuery(since="2025-01-01", until="2025-12-31"),
    "all of them": WorklistQuery(
        "brain",
        (StudyState.ANALYSED, StudyState.READ),
        CLASSES[:2],
        "2020-01-01",
        "2026-12-31",
        WorklistOrder.DOUBT,
    ),
}


def fill(records: Records, count: int) -> None:
    """Put studies on the list as reading and analysing them would."""
    rng = np.random.default_rng(0)
    states = [state.value for state in StudyState]
    rows = []
    for number in range(count):
        name, tumour = f"Doe{number // 3} Jane", float(rng.random())
        day = f"20{rng.integers(18, 27)}-{rng.integers(1, 13):02}-{rng.integers(1, 29):02}"
        row: dict[str, Any] = {
            "key": f"{number:064x}", "uid": f"1.2.{number}", "title": "Brain", "modality": "MR",
            "patient_name": name, "patient_id": f"P{number // 3}", "date": day, "on_disk": "there",
            "pseudonym": f"{number // 3:016x}", "description": "Brain with contrast",
            "source": f"/archive/{day}/study{number}", "state": states[number % len(states)],
            "priority": 0, "added": day, "predicted_class": CLASSES[number % 4],
            "tumour": tumour, "doubt": float(rng.random()), "verdict_class": None,
        }  # fmt: skip
        words = ("title", "patient_name", "patient_id", "description", "modality", "date", "source")
        rows.append(row | {"words": "\n".join(row[name] for name in words).casefold()})
    with records._store.writing() as connection:
        connection.execute(studies.insert(), rows)


def milliseconds(work: Callable[[], object], runs: int = RUNS) -> dict[str, float]:
    """Of some runs, after one that does not count."""
    work()
    taken = []
    processor = time.process_time()
    for _ in range(runs):
        start = time.perf_counter()
        work()
        taken.append((time.perf_counter() - start) * 1000)
    processor = (time.process_time() - processor) * 1000 / runs
    return {"median": statistics.median(taken), "worst": max(taken), "processor": processor}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as folder:
        records = Records(folder=Path(folder) / "records")
        fill(records, count)
        filters = {
            name: milliseconds(lambda query=query: records.worklist.find(query))
            for name, query in QUERIES.items()
        }
        priors = milliseconds(lambda: records.worklist.priors(5))
        verdicts = milliseconds(
            lambda: records.verdicts.give(5, "glioma", before_answer=True, comment="x")
        )
        records.close()
        opening = milliseconds(lambda: Records(folder=Path(folder) / "records"), 5)
    answer = {
        "studies": count,
        "filters_ms": filters,
        "slowest_median_ms": max(taken["median"] for taken in filters.values()),
        "slowest_processor_ms": max(taken["processor"] for taken in filters.values()),
        "priors_ms": priors,
        "verdict_ms": verdicts,
        "open_ms": opening,
    }
    print(json.dumps(answer, indent=2))


if __name__ == "__main__":
    main()
