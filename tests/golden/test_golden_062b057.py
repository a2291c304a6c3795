"""What commit 062b057 wrote still opens, and says the same."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from trainer import cli as trainer_cli
from trainer.data import dataset
from trainer.runs import config
from trainer.tools.options import export_toml
from trainer.training import checkpoint
from tumorviewer import cli, resources
from tumorviewer.desktop.services.settings import Settings
from tumorviewer.desktop.training.run_store import RunState, RunStore
from tumorviewer.export.finding_json import finding_to_json
from tumorviewer.models import bundle, comparison, journal, schema, weights
from tumorviewer.models.catalogue import Catalogue
from tumorviewer.records import Records
from tumorviewer.study import open_paths

KEPT = Path(__file__).parent / "062b057"
TOLERANCE = 1e-4
"""Of probabilities: another processor, or another version of torch, rounds otherwise."""


@pytest.fixture
def golden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to work in, with the model where its user has it."""
    folder = tmp_path / "golden"
    shutil.copytree(KEPT, folder)
    shutil.copytree(KEPT / "run" / "bundle", folder / "home" / "models" / "golden")
    monkeypatch.setenv(resources.HOME_VARIABLE, str(folder / "home"))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def records(golden: Path) -> Iterator[Records]:
    with Records(folder=golden / "home" / "records", reader="dr. today") as opened:
        assert opened.notices == ()
        yield opened


def read_json(*parts: str) -> dict:
    return json.loads(KEPT.joinpath(*parts).read_text("utf-8"))


def plain(value: object) -> object:
    """As JSON has it."""

    def of_enum(one: Enum) -> object:
        return one.value

    return json.loads(json.dumps(value, default=of_enum))


def assert_holds(said: object, kept: object, where: str = "") -> None:
    """All that was said is said; more may be, and numbers may be rounded otherwise."""
    if isinstance(kept, dict):
        for name in kept.keys() - {"device"}:
            assert name in said, f"{where}.{name} is missing"
            assert_holds(said[name], kept[name], f"{where}.{name}")
    elif isinstance(kept, list):
        assert len(said) == len(kept), where
        for at, (one, other) in enumerate(zip(said, kept, strict=True)):
            assert_holds(one, other, f"{where}[{at}]")
    elif isinstance(kept, float):
        assert said == pytest.approx(kept, abs=TOLERANCE), where
    elif isinstance(kept, str):
        new = kept.replace("It is only", "What is judged is only")
        assert said in (kept, new), where  # what was kept stays in its words
    else:
        assert said == kept, where


# Classification


def as_meant(kept: Any) -> Any:
    """As kept, but for two changes that were meant: what is unlike the training data gets no map,
    and a study's line says what the whole study is answered, not its first series."""
    for name in ("predicted_class", "tumour", "doubt"):
        kept.get("study", {}).pop(name, None)
    for finding in kept.get("findings", ()):
        if finding["kind"] and finding["kind"]["level"] == "outside":
            finding["saliency"] = None
    return kept


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("one.json", ["shapes/glioma/0.png", "patients/1/1"]),
        ("checked.json", ["patients/1/1", "--check-map", "--vary"]),
        ("plain.json", ["patients/1/1", "broken.png", "--explain", "none"]),
    ],
)
def test_classify_prints_the_same_json(golden, capsys, name, arguments) -> None:
    cli.main(["classify", *arguments, "--json"])
    kept = as_meant(read_json("classify", name))
    assert_holds(json.loads(capsys.readouterr().out), kept)


def test_a_batch_prints_the_same_lines(golden, capsys) -> None:
    shutil.rmtree(golden / "home" / "records")
    asked = ["patients", "shapes/notumor/0.png", "--batch", "--explain", "gradcam"]
    assert cli.main(["classify", *asked]) == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    text = (KEPT / "classify" / "batch.jsonl").read_text("utf-8")
    lines = text.replace("/tmp/golden", str(golden)).splitlines()
    assert_holds(said, [as_meant(json.loads(line)) for line in lines])


# Records


def test_the_records_say_what_they_said(records) -> None:
    kept = read_json("records.json")
    entries = sorted(records.worklist.find(), key=lambda entry: entry.id)
    assert plain([asdict(entry) for entry in entries]) == kept["studies"]
    for entry in entries:
        of_study = str(entry.id)
        found = [asdict(one) for one in records.findings.of(entry.id)]
        assert plain(found) == kept["findings"][of_study]
        given = [asdict(one) for one in records.verdicts.on_study(entry.id)]
        assert plain(given) == kept["verdicts"][of_study]
        drawn = [asdict(one) for one in records.annotations.on_study(entry.id)]
        assert plain(drawn) == kept["marks"][of_study]
    assert {name: records.session.kept(name) for name in records.session.names()} == kept["session"]
    wanted = records.queue.wanted()
    queue = {"studies": sorted(wanted.studies), "paused": wanted.is_paused}
    assert queue == kept["queue"]


def test_the_audit_trail_is_whole_and_in_order(records, capsys) -> None:
    said = [asdict(entry) | {"hash": entry.hash} for entry in records.trail.entries()]
    assert plain(said) == read_json("records.json")["trail"]
    assert records.trail.verify() == []
    assert cli.main(["records", "verify"]) == 0


def test_kept_findings_come_back_whole_with_their_maps(records) -> None:
    for entry in records.worklist.find():
        (kept,) = records.findings.of(entry.id)
        finding = records.findings.finding(kept)
        assert finding.saliency is not None
        assert finding.saliency.maps.max() > 0
        unplaced = {"saliency", "explanation"}  # which need files, and the pixels
        said = plain(finding_to_json(finding, None))
        shared = said.keys() & kept.document.keys() - unplaced
        assert_holds(said, {name: plain(kept.document[name]) for name in shared})


def test_a_study_that_was_kept_is_known_again(golden, records) -> None:
    before = {entry.key: entry.id for entry in records.worklist.find()}
    opened = open_paths([str(golden / "patients"), str(golden / "shapes" / "notumor" / "0.png")])
    assert {records.worklist.add(study).key for study in opened.studies} == before.keys()
    assert {entry.key: entry.id for entry in records.worklist.find()} == before
    first = next(entry for entry in records.worklist.find() if entry.id == 1)
    assert first.pseudonym == read_json("records.json")["studies"][0]["pseudonym"]
    assert [prior.id for prior in records.worklist.priors(1)] == [2]


def test_a_verdict_can_be_corrected_by_today_s_reader(records) -> None:
    current = records.verdicts.current(2)
    assert current is not None
    given = records.verdicts.give(2, "glioma", before_answer=False, corrects=current.id)
    assert (given.reader, current.reader) == ("dr. today", "dr. golden")
    assert records.verdicts.current(2) == given
    assert records.trail.verify() == []


# Models


def test_the_bundle_loads_and_its_card_says_the_same(golden) -> None:
    folder = golden / "run" / "bundle"
    card, network = weights.load_weights(folder)
    assert bundle.verify_bundle(folder) == card
    assert_holds(json.loads(schema.to_json(card)), read_json("run", "bundle", "card.json"))
    assert card.trust is not None
    assert len(bundle.read_training_items(folder)) == 24
    assert sum(one.numel() for one in network.state_dict().values()) > 10_000
    assert bundle.read_trust_arrays(folder)


def test_the_model_in_use_and_the_journal_are_the_same(golden, capsys) -> None:
    assert Catalogue().default() == "golden"
    lines = (KEPT / "home" / "models" / "history.jsonl").read_text("utf-8").splitlines()
    changes = journal.read_journal(golden / "home" / "models")
    assert [plain(asdict(change)) for change in changes] == [json.loads(line) for line in lines]
    assert cli.main(["models", "verify", "golden"]) == 0
    assert cli.main(["models", "show", "--history"]) == 0
    assert "A first model." in capsys.readouterr().out


def test_the_comparison_is_what_a_promotion_reads(golden) -> None:
    read = plain(asdict(comparison.read_comparison(golden / "comparison.json")))
    kept = read_json("comparison.json")
    for name, value in read.items():
        assert_holds(kept[name], value, name)
    assert read["verdict"] == "undecided"
    assert read["data"]["classes"] == {"glioma": 8, "notumor": 8, "pituitary": 8}


# Training


def test_a_finished_run_is_known_as_finished(golden, tmp_path) -> None:
    again = ["fit", "shapes", "--config", "run/config.toml", "--out", "run", "--resume"]
    assert trainer_cli.main([*again, f"--cache={tmp_path}", "--progress=none"]) == 0
    log = Path("run", "log.jsonl").read_text("utf-8")
    assert log == (KEPT / "run" / "log.jsonl").read_text("utf-8")
    assert_holds(
        json.loads(Path("run", "figures.json").read_text()), read_json("run", "figures.json")
    )


def test_the_settings_of_a_run_are_the_same(golden) -> None:
    kept = config.read_tables(golden / "run" / "config.toml")
    (golden / "again.toml").write_text(
        export_toml(config.read_config(golden / "run" / "config.toml"))
    )
    assert_holds(config.read_tables(golden / "again.toml"), kept)


def test_a_checkpoint_has_the_weights_of_the_bundle(golden) -> None:
    kept = safetensors.numpy.load_file(golden / "run" / "bundle" / "model.safetensors")
    best = checkpoint.read_checkpoint(golden / "run" / "best.safetensors")
    assert best.tensors.keys() == kept.keys()
    last = checkpoint.read_checkpoint(golden / "run" / "last.safetensors")
    assert last.part("network.").keys() == kept.keys()
    for tensors in (best.tensors, last.tensors):
        assert all(np.isfinite(one.numpy()).all() for one in tensors.values())


def test_a_model_is_judged_as_it_was(golden, tmp_path, capsys) -> None:
    asked = ["evaluate", "shapes", "--model", "run/bundle", "--json", "--progress=none"]
    assert trainer_cli.main([*asked, f"--cache={tmp_path}"]) == 0
    assert_holds(json.loads(capsys.readouterr().out), read_json("evaluate.json"))


def test_predictions_are_compared(golden, tmp_path) -> None:
    held = (KEPT / "run" / "predictions.csv").read_text("utf-8").splitlines()[1:]
    for line in held:
        picture = Path(line.split(",")[0])
        (golden / "held" / picture.parent).mkdir(parents=True, exist_ok=True)
        shutil.copy(golden / "shapes" / picture, golden / "held" / picture)
    tables = ["run/predictions.csv", "run/predictions.csv"]
    more = [f"--cache={tmp_path}", "--progress=none", "--out=again.json"]
    assert trainer_cli.main(["compare", *tables, "held", *more]) == 0
    assert comparison.read_comparison(Path("again.json")).data.n == len(held)


def test_the_training_table_and_groups_are_read(golden, tmp_path) -> None:
    table = dataset.read_dataset(golden / "training" / "dataset.csv")
    assert table.counts() == {"notumor": 1, "pituitary": 2}
    assert all(item.path.is_file() for item in table.items)
    assert len({item.patient for item in table.items}) == 1
    split = ["split", "shapes", "--groups", "audit/groups.csv", f"--cache={tmp_path}"]
    assert trainer_cli.main([*split, "--progress=none"]) == 0


def test_the_training_tab_finds_its_data_sets_and_runs(golden) -> None:
    (data,) = RunStore().sets()
    (run,) = data.runs()
    assert (data.name, run.name, run.state) == ("shapes", "001", RunState.DRAFT)
    assert run.choices() == {"training.epochs": 3, "card.labels": {"glioma": "Glioma"}}
    shutil.copytree(golden / "run", run.folder, dirs_exist_ok=True)
    assert run.state is RunState.DONE
    assert [line["epoch"] for line in run.log()] == list(range(1, 31))
    assert run.figures() == read_json("run", "figures.json")["figures"]


# Settings


def test_choices_keys_and_recent_entries_are_the_same(golden) -> None:
    settings = Settings()
    assert settings.problems == ()
    chosen = {name: settings[name] for name in ("colours", "scale", "verdict_first", "language")}
    expected = {"colours": "light", "scale": 125, "verdict_first": True, "language": "system"}
    assert chosen == expected
    assert settings.keys == {"next_slice": ("N", "Down"), "verdict": ()}
    assert [(one.title, one.paths) for one in settings.recent()] == [("Painted^1", ("painted/1",))]
