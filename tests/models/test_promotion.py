"""One model in the place of another: evidence or a recorded override, and the way back."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tumorviewer import cli, resources
from tumorviewer.errors import InputError
from tumorviewer.models import bundle, bundle_exchange, journal, promotion
from tumorviewer.models.comparison import ComparedModel

PROMOTE = """
import sys
from pathlib import Path
from tumorviewer.errors import InputError
from tumorviewer.models import promotion
from tumorviewer.models.catalogue import Catalogue
catalogue = Catalogue(*map(Path, sys.argv[1:3]))
for round in range(8):
    for name in sys.argv[3:]:
        try:
            promotion.promote_model(catalogue, name, "someone", override=f"round {round}")
            print(name)
        except InputError as error:
            assert "in use already" in str(error), error
assert "torch" not in sys.modules
"""


@pytest.fixture(autouse=True)
def candidates(catalogue, copy_bundle, tmp_path: Path) -> None:
    """Three that may take the place of ``random``."""
    for number, name in enumerate(("first", "second", "third")):
        source = copy_bundle(tmp_path / name, name=name)
        path = source / "model.safetensors"
        content = bytearray(path.read_bytes())
        content[-1] ^= number + 1
        path.write_bytes(content)
        card = json.loads((source / "card.json").read_text())
        card["weights"]["sha256"] = bundle._sha256(path)
        (source / "card.json").write_text(json.dumps(card))
        bundle_exchange.import_bundle(source, catalogue)


@pytest.fixture
def compare(catalogue, tmp_path: Path):
    """Write a comparison as the trainer does, with some of it changed."""

    def write(candidate: str, current: str, /, **changes: object) -> Path:
        def identity(name: str) -> dict[str, str]:
            return vars(ComparedModel.of(bundle.read_card(catalogue.folder(name))))

        content = {
            "schema": 1,
            "candidate": identity(candidate),
            "current": identity(current),
            "data": {
                "name": "Site test set",
                "sha256": "d" * 64,
                "n": 300,
                "groups": 120,
                "classes": dict.fromkeys(bundle.read_card(catalogue.folder(candidate)).classes, 40),
            },
            "figures": {"accuracy": {"candidate": 0.97, "current": 0.95}},
            "mcnemar": {"p": 0.01},
            "overlap": {"candidate": 0.0, "current": 0.0},
            "verdict": "better",
            "words": "The candidate is better.",
        }
        for key, value in changes.items():
            place = content
            *parents, last = key.split("__")
            for parent in parents:
                place = place[parent]
            place[last] = value
        path = tmp_path / f"{candidate}-{current}.json"
        path.write_text(json.dumps(content))
        return path

    return write


def test_a_better_model_takes_the_place_and_gives_it_back(catalogue, compare) -> None:
    shipped = catalogue.folder("random").parent
    before = sorted(path.stat().st_mtime_ns for path in shipped.rglob("*"))
    change = promotion.promote_model(catalogue, "first", "ada", compare("first", "random"))
    assert catalogue.default() == "first"
    assert (change.user, change.before.name, change.after.name) == ("ada", "random", "first")
    assert change.comparison.verdict == "better"
    assert promotion.find_locked_test_set(promotion.read_history(catalogue)).name == "Site test set"
    promotion.promote_model(
        catalogue, "second", "ada", compare("second", "first", verdict="not worse")
    )
    assert promotion.roll_back_model(catalogue, "bob").after.name == "first"
    assert promotion.roll_back_model(catalogue, "bob").after.name == "random"
    assert catalogue.default() == "random"
    with pytest.raises(InputError, match="no model to go back to"):
        promotion.roll_back_model(catalogue, "bob")
    history = promotion.read_history(catalogue)
    assert [one.action for one in history] == ["promote", "promote", "rollback", "rollback"]
    assert [one.user for one in history] == ["ada", "ada", "bob", "bob"]
    lines = (catalogue.own / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["after"]["name"] for line in lines] == [
        "first", "second", "first", "random",
    ]  # fmt: skip
    assert json.loads(lines[0])["comparison"]["figures"]["accuracy"]["candidate"] == 0.97
    assert sorted(path.stat().st_mtime_ns for path in shipped.rglob("*")) == before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"candidate__sha256": "0" * 64}, "other weights than those of first 1"),
        ({"current__sha256": "0" * 64}, "in use is random 1"),
        ({"overlap": {"candidate": 0.004}}, "saw 0.4 % of the test set"),
        ({"overlap": {"candidate": None}}, "not known whether"),
        ({"overlap": {}}, "not known whether"),
        ({"overlap": {"candidate": float("nan")}}, "saw nan % of the test set"),
        ({"data__groups": 19}, "comparison is on 19 groups; it takes 20"),
        ({"data__classes": {}}, "not known which classes"),
        ({"data__classes": {"glioma": 100}}, "made on no case of No tumour"),
        ({"verdict": "worse"}, "verdict is 'worse'"),
        ({"verdict": "undecided"}, "verdict is 'undecided'"),
        ({"schema": 2}, "no comparison of schema 1"),
        ({"data": {"name": "x"}}, r"comparison\.data\.sha256 is missing"),
        ({"candidate": "first"}, r"comparison\.candidate must be an object, not text"),
    ],
)
def test_the_gate(catalogue, compare, changes, words) -> None:
    with pytest.raises(InputError, match=words):
        promotion.promote_model(catalogue, "first", "ada", compare("first", "random", **changes))
    assert catalogue.default() == "random"
    assert promotion.read_history(catalogue) == ()


def test_a_candidate_that_forgets_a_class_is_refused(catalogue, compare) -> None:
    path = catalogue.folder("first") / "card.json"
    card = json.loads(path.read_text())
    left = card["classes"][:-1]
    changed = {"classes": left, "labels": {name: name for name in left}, "no_tumour": None}
    path.write_text(json.dumps(card | changed))
    with pytest.raises(InputError, match="cannot answer"):
        promotion.promote_model(catalogue, "first", "ada", compare("first", "random"))


def test_a_candidate_whose_trust_nobody_measured_is_refused(catalogue, compare) -> None:
    path = catalogue.folder("random") / "card.json"
    card = json.loads(path.read_text()) | {"trust": {"items": 300, "groups": 120}}
    path.write_text(json.dumps(card))
    with pytest.raises(InputError, match="may be trusted was not measured"):
        promotion.promote_model(catalogue, "first", "ada", compare("first", "random"))


def test_the_test_set_is_locked_by_the_first_comparison(catalogue, compare) -> None:
    promotion.promote_model(catalogue, "first", "ada", compare("first", "random"))
    other = compare("second", "first", data__sha256="e" * 64, data__name="An easier set")
    with pytest.raises(InputError, match="An easier set, not on the locked test set Site test set"):
        promotion.promote_model(catalogue, "second", "ada", other)
    promotion.promote_model(catalogue, "third", "ada", override="the second site's scanner")
    assert promotion.find_locked_test_set(promotion.read_history(catalogue)).name == "Site test set"
    other = compare("second", "third", data__sha256="e" * 64, data__name="A larger set")
    promotion.promote_model(catalogue, "second", "ada", other, "the test set grew")
    assert promotion.find_locked_test_set(promotion.read_history(catalogue)).name == "A larger set"


def test_an_override_is_a_reason_on_record(catalogue) -> None:
    for reason in ("", "  "):
        with pytest.raises(InputError, match="no comparison"):
            promotion.promote_model(catalogue, "first", "ada", override=reason)
    promotion.promote_model(catalogue, "first", "ada", override=" urgent:\nold one fails ")
    (change,) = promotion.read_history(catalogue)
    assert change.override == "urgent:\nold one fails"
    with pytest.raises(InputError, match="in use already"):
        promotion.promote_model(catalogue, "first", "ada", override="again")


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"[" * 50_000, b'{"schema": 1}'])
def test_what_is_no_comparison(catalogue, tmp_path, content) -> None:
    (tmp_path / "c.json").write_bytes(content)
    with pytest.raises(InputError):
        promotion.promote_model(catalogue, "first", "ada", tmp_path / "c.json", "all the same")
    with pytest.raises(InputError, match="cannot be read"):
        promotion.promote_model(catalogue, "first", "ada", tmp_path / "none.json")


def test_a_damaged_or_unknown_candidate_is_refused(catalogue, compare) -> None:
    evidence = compare("first", "random")
    (catalogue.folder("first") / "model.safetensors").write_bytes(b"rot")
    with pytest.raises(InputError, match="bytes"):
        promotion.promote_model(catalogue, "first", "ada", evidence)
    with pytest.raises(InputError, match="no model of that name"):
        promotion.promote_model(catalogue, "nonesuch", "ada", evidence)
    assert catalogue.default() == "random"


def test_no_way_back_to_what_is_no_longer_what_it_was(catalogue, compare, tmp_path) -> None:
    promotion.promote_model(catalogue, "first", "ada", override="a")
    promotion.promote_model(catalogue, "second", "ada", override="b")
    kept = shutil.move(catalogue.folder("first"), tmp_path / "kept")
    with pytest.raises(InputError, match="no model of that name"):
        promotion.roll_back_model(catalogue, "ada")
    shutil.copytree(catalogue.folder("third"), catalogue.own / "first")
    with pytest.raises(InputError, match="not what it was"):
        promotion.roll_back_model(catalogue, "ada")
    shutil.rmtree(catalogue.own / "first")
    shutil.move(kept, catalogue.own / "first")
    (catalogue.own / "DEFAULT").write_text("third")
    with pytest.raises(InputError, match="by hand"):
        promotion.roll_back_model(catalogue, "ada")
    (catalogue.own / "DEFAULT").write_text("second")
    assert promotion.roll_back_model(catalogue, "ada").after.name == "first"


def test_a_model_in_use_that_is_gone_can_be_replaced(catalogue, compare) -> None:
    promotion.promote_model(catalogue, "first", "ada", override="a")
    evidence = compare("second", "first")
    shutil.rmtree(catalogue.folder("first"))
    with pytest.raises(InputError, match="in use is none"):
        promotion.promote_model(catalogue, "second", "ada", evidence)
    assert promotion.promote_model(catalogue, "second", "ada", override="b").before is None
    assert catalogue.default() == "second"
    with pytest.raises(InputError, match="no model to go back to"):
        promotion.roll_back_model(catalogue, "ada")


def test_a_promotion_cut_short_is_finished_by_the_next_change(catalogue, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(promotion, "_choose", lambda *_: sys.exit("killed"))
        with pytest.raises(SystemExit):
            promotion.promote_model(catalogue, "first", "ada", override="a")
    assert catalogue.default() == "random"
    assert promotion.roll_back_model(catalogue, "ada").before.name == "first"
    promotion.promote_model(catalogue, "second", "ada", override="b")
    before = [(one.before.name, one.after.name) for one in promotion.read_history(catalogue)]
    assert before == [("random", "first"), ("first", "random"), ("random", "second")]


def test_a_full_disk_changes_nothing(catalogue, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tumorviewer.files.flush_to_disk", full)
    with pytest.raises(InputError, match="No space left"):
        promotion.promote_model(catalogue, "first", "ada", override="a")
    assert catalogue.default() == "random"
    assert promotion.read_history(catalogue) == ()


def test_a_damaged_history_is_said_and_kept(catalogue) -> None:
    path = catalogue.own / journal.NAME
    path.write_text('{"time": 1}\n')
    with pytest.raises(InputError, match="history of the models is damaged: line"):
        promotion.promote_model(catalogue, "first", "ada", override="a")
    assert path.read_text() == '{"time": 1}\n'
    assert catalogue.default() == "random"


def test_processes_at_once_lose_no_line(catalogue) -> None:
    folders = [str(catalogue.own), str(catalogue.folder("random").parent)]
    orders = [("first", "second"), ("third", "first"), ("second", "third", "random")]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROMOTE, *folders, *names], stdout=subprocess.PIPE, text=True
        )
        for names in orders
    ]
    done = [name for process in running for name in process.communicate()[0].split()]
    assert [process.returncode for process in running] == [0, 0, 0]
    history = promotion.read_history(catalogue)
    assert sorted(done) == sorted(change.after.name for change in history)
    assert len(done) > 20
    links = [change.after for change in history]
    assert [change.before for change in history[1:]] == links[:-1]
    assert catalogue.default() == history[-1].after.name


def test_the_command_line(catalogue, compare, random_bundle, monkeypatch, tmp_path, capsys) -> None:
    home = tmp_path / "home"
    shutil.copytree(catalogue.folder("random").parent, home / "models")
    monkeypatch.setenv(resources.HOME_VARIABLE, str(home))
    out = tmp_path / "first.zip"
    assert cli.main(["models", "export", str(catalogue.folder("first")), str(out)]) == 0
    assert cli.main(["models", "export", "random", str(out)]) == 1
    assert cli.main(["models", "import", str(out), "--as", "mine"]) == 0
    assert "mine 1: imported" in capsys.readouterr().out
    assert cli.main(["models", "promote", "mine"]) == 1
    assert "There is no comparison" in capsys.readouterr().err
    evidence = compare("first", "random")
    assert cli.main(["models", "promote", "mine", "--comparison", str(evidence)]) == 0
    assert "random 1 → mine 1  better on Site test set" in capsys.readouterr().out
    assert cli.main(["models", "list"]) == 0
    assert "* mine" in capsys.readouterr().out
    assert cli.main(["models", "rollback"]) == 0
    assert cli.main(["models", "rollback"]) == 1
    assert "no model to go back to" in capsys.readouterr().err
    assert cli.main(["models", "show", "--history"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2
    assert "rollback  mine 1 → random 1" in said[1]
    (out.parent / "bad").mkdir()
    assert cli.main(["models", "import", str(out.parent / "bad")]) == 1
    assert "no card.json" in capsys.readouterr().err
