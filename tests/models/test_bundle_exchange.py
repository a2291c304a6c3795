"""Models in and out: wholly or not at all, and never one in the place of another."""

from __future__ import annotations

import filecmp
import os
import pickle
import random
import shutil
import stat
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from tumorviewer.errors import InputError
from tumorviewer.models import bundle, bundle_exchange
from tumorviewer.models.catalogue import Catalogue

IMPORT = """
import sys
from pathlib import Path
from tumorviewer.models import bundle_exchange
from tumorviewer.models.catalogue import Catalogue
source, root = map(Path, sys.argv[1:3])
assert "torch" not in sys.modules
print("go", flush=True)
try:
    print(bundle_exchange.import_bundle(source, Catalogue(root))[1])
except Exception as error:
    print(error)
"""


@pytest.fixture
def mine(copy_bundle, tmp_path: Path) -> Path:
    return copy_bundle(tmp_path / "run" / "bundle", name="mine")


def names(catalogue: Catalogue) -> list[str]:
    return sorted(path.name for path in catalogue.own.iterdir() if path.name != ".lock")


def zipped(folder: Path, out: Path, **extra: bytes) -> Path:
    with zipfile.ZipFile(out, "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, f"mine/{path.name}")
        for name, content in extra.items():
            archive.writestr(name, content)
    return out


@pytest.mark.parametrize("form", ["folder", "zip", "flat zip"])
def test_a_model_comes_in(catalogue, mine, tmp_path, form) -> None:
    source = mine
    if form == "zip":
        source = zipped(mine, tmp_path / "m.zip", **{"__MACOSX/mine/._card.json": b"mac"})
    elif form == "flat zip":
        source = Path(shutil.make_archive(str(tmp_path / "flat"), "zip", mine))
    card, is_new = bundle_exchange.import_bundle(source, catalogue)
    assert (card.name, is_new) == ("mine", True)
    assert bundle.verify_bundle(catalogue.folder("mine")) == card
    assert catalogue.folder("mine").parent == catalogue.own
    assert names(catalogue) == ["mine"]
    assert catalogue.default() == "random"
    assert bundle_exchange.import_bundle(source, catalogue) == (card, False)


def test_nothing_of_an_operating_system_or_a_link_comes_along(catalogue, mine) -> None:
    (mine / ".DS_Store").write_bytes(b"x")
    (mine / "README.md").write_text("notes")
    (mine / "again.md").symlink_to("README.md")
    bundle_exchange.import_bundle(mine, catalogue)
    folder = catalogue.folder("mine")
    assert {path.name for path in folder.iterdir()} == {
        "card.json", "model.safetensors", "README.md", "again.md",
    }  # fmt: skip
    assert not any(path.is_symlink() for path in folder.iterdir())


def test_no_model_takes_the_name_of_another(catalogue, copy_bundle, mine, tmp_path) -> None:
    bundle_exchange.import_bundle(mine, catalogue)
    before = (catalogue.folder("mine") / "card.json").read_bytes()
    other = copy_bundle(tmp_path / "other", name="mine", version="2")
    hiding = copy_bundle(tmp_path / "hiding", version="2")
    for source in (other, hiding):
        with pytest.raises(InputError, match="another model of the name"):
            bundle_exchange.import_bundle(source, catalogue)
    assert (catalogue.folder("mine") / "card.json").read_bytes() == before
    card, _ = bundle_exchange.import_bundle(other, catalogue, "mine-2")
    assert (card.name, card.version) == ("mine-2", "2")
    assert names(catalogue) == ["mine", "mine-2"]
    with pytest.raises(InputError, match="cannot be a model's name"):
        bundle_exchange.import_bundle(other, catalogue, "../mine")


def test_a_damaged_twin_is_not_taken_for_the_model(catalogue, mine) -> None:
    bundle_exchange.import_bundle(mine, catalogue)
    (catalogue.folder("mine") / "model.safetensors").write_bytes(b"rot")
    with pytest.raises(InputError, match="another model"):
        bundle_exchange.import_bundle(mine, catalogue)


def _with(name: str, content: bytes = b"x", kind: int = 0):
    def make(folder: Path, out: Path) -> Path:
        zipped(folder, out)
        with zipfile.ZipFile(out, "a") as archive:
            member = zipfile.ZipInfo(name)
            member.external_attr = (kind | 0o644) << 16
            archive.writestr(member, content, zipfile.ZIP_DEFLATED)
        return out

    return make


def _cut(folder: Path, out: Path) -> Path:
    content = zipped(folder, out).read_bytes()
    out.write_bytes(content[: len(content) // 2])
    return out


def _flipped(folder: Path, out: Path) -> Path:
    content = bytearray(zipped(folder, out).read_bytes())
    content[len(content) // 2] ^= 255
    out.write_bytes(content)
    return out


def _two(folder: Path, out: Path) -> Path:
    return _with("other/card.json", (folder / "card.json").read_bytes())(folder, out)


def _text(folder: Path, out: Path) -> Path:
    out.write_text("no archive")
    return out


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_with("../outside.txt"), "outside the archive"),
        (_with("mine/../../outside.txt"), "outside the archive"),
        (_with("/tmp/outside.txt"), "outside the archive"),
        (_with("..\\outside.txt"), "outside the archive"),
        (_with("mine/link.txt", b"/etc/passwd", stat.S_IFLNK), "link or a device"),
        (_with("mine/card.json"), "another file of the same name"),
        (_with("mine/run.pkl", pickle.dumps({})), "plain data"),
        (_with("mine/zeros.txt", bytes(200 << 20)), "no real image or model"),
        (_cut, "damaged"),
        (_flipped, "damaged"),
        (_two, "holds 2 model bundles"),
        (_text, "damaged"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_that_mean_harm_leave_nothing(catalogue, mine, tmp_path, make, words) -> None:
    out = tmp_path / "zip" / "m.zip"
    out.parent.mkdir()
    around = set(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=words) as refused:
        bundle_exchange.import_bundle(make(mine, out), catalogue)
    assert refused.value.source.startswith(str(out))
    assert names(catalogue) == []
    left = set(tmp_path.rglob("*")) - around
    assert left == {out, catalogue.own, catalogue.own.parent, catalogue.own / ".lock"}


def test_a_folder_that_is_refused_leaves_nothing(catalogue, mine) -> None:
    (mine / "model.safetensors").write_bytes(b"rot")
    with pytest.raises(InputError, match="bytes") as refused:
        bundle_exchange.import_bundle(mine, catalogue)
    assert refused.value.source == str(mine / "model.safetensors")
    assert names(catalogue) == []


def test_killed_at_any_moment_a_model_is_there_wholly_or_not(catalogue, mine) -> None:
    (mine / "notes.txt").write_bytes(b"n" * (24 << 20))
    moments = random.Random(0)
    states = set()
    for latest in (0, 0, 0.02, 0.05, 0.1, 0.1, 0.2, 0.2):
        shutil.rmtree(catalogue.own, ignore_errors=True)
        command = [sys.executable, "-c", IMPORT, str(mine), str(catalogue.own)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "go\n"
            time.sleep(moments.uniform(0, latest))
            process.kill()
        found = [entry for entry in catalogue.entries() if entry.name != "random"]
        for entry in found:
            bundle.verify_bundle(entry.folder)
            assert (entry.folder / "notes.txt").stat().st_size == 24 << 20
        states.add(len(found))
        assert bundle_exchange.import_bundle(mine, catalogue)[1] is not bool(found)
        assert names(catalogue) == ["mine"]
    assert 0 in states


def test_two_processes_at_once_bring_in_one_model(catalogue, mine) -> None:
    command = [sys.executable, "-c", IMPORT, str(mine), str(catalogue.own)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate()[0].split() for process in running]
    assert sorted(said) == [["go", "False"], ["go", "False"], ["go", "True"]]
    assert names(catalogue) == ["mine"]


def test_a_place_that_cannot_be_written(mine, tmp_path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be changed: Not a directory") as refused:
        bundle_exchange.import_bundle(mine, Catalogue(tmp_path / "file" / "models"))
    assert "TUMORVIEWER_HOME" in refused.value.remedy
    with pytest.raises(InputError, match="cannot be written: File exists"):
        bundle_exchange.export_bundle(mine, tmp_path / "file" / "out")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_read_only_folder_is_said(catalogue, mine) -> None:
    catalogue.own.mkdir(parents=True)
    catalogue.own.chmod(0o500)
    with pytest.raises(InputError, match="Permission denied"):
        bundle_exchange.import_bundle(mine, catalogue)


def test_a_full_disk_leaves_nothing(catalogue, mine, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bundle_exchange.shutil, "copyfile", full)
    with pytest.raises(InputError, match="No space left"):
        bundle_exchange.import_bundle(mine, catalogue)
    assert names(catalogue) == []


def test_equal_models_go_out_as_equal_archives(catalogue, mine, tmp_path) -> None:
    (mine / "evidence").mkdir()
    (mine / "evidence" / "worst.csv").write_text("a")
    first, second = tmp_path / "1.zip", tmp_path / "deep" / "2.zip"
    card = bundle_exchange.export_bundle(mine, first)
    os.utime(mine / "card.json", (0, 0))
    (mine / "model.safetensors").chmod(0o600)
    bundle_exchange.export_bundle(mine, second)
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        assert archive.testzip() is None
        assert archive.namelist()[0] == "mine/card.json"
    assert bundle_exchange.import_bundle(first, catalogue) == (card, True)
    assert (catalogue.folder("mine") / "evidence" / "worst.csv").read_text() == "a"


def test_a_folder_goes_out_and_replaces_nothing(mine, tmp_path) -> None:
    out = tmp_path / "usb" / "model"
    bundle_exchange.export_bundle(mine, out)
    assert filecmp.cmpfiles(mine, out, ["card.json", "model.safetensors"], shallow=False)[1:] == (
        [], [],
    )  # fmt: skip
    assert [path.name for path in out.parent.iterdir()] == ["model"]
    with pytest.raises(InputError, match="there already"):
        bundle_exchange.export_bundle(mine, out)
    (mine / "model.safetensors").write_bytes(b"rot")
    with pytest.raises(InputError, match="bytes"):
        bundle_exchange.export_bundle(mine, tmp_path / "rotten.zip")
    assert not (tmp_path / "rotten.zip").exists()
