"""Bundles: what is written is read back, and everything else is refused with a reason."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tumorviewer.errors import InputError
from tumorviewer.models import bundle, schema, weights


@pytest.fixture
def folder(random_bundle: Path, tmp_path: Path) -> Path:
    return shutil.copytree(random_bundle, tmp_path / "random")


def edit(folder: Path, **changes) -> None:
    path = folder / "card.json"
    content = json.loads(path.read_text("utf-8"))
    for key, value in changes.items():
        place = content
        *parents, last = key.split("__")
        for parent in parents:
            place = place[parent]
        if value is None:
            del place[last]
        else:
            place[last] = value
    path.write_text(json.dumps(content), "utf-8")


def rewrite(folder: Path, change) -> None:
    card, network = weights.load_weights(folder)
    bundle.write_bundle(folder, card, change(dict(network.state_dict())))


def test_card_survives_the_way_through_json(folder) -> None:
    card = bundle.read_card(folder)
    odd = dataclasses.replace(card, no_tumour=None, title="Ünïcode “x”", temperature=2)
    assert schema.from_json(schema.to_json(odd)) == odd
    assert bundle.verify_bundle(folder) == card


def test_loaded_network_answers_as_the_written_one(folder) -> None:
    card, network = weights.load_weights(folder)
    _, again = weights.load_weights(folder)
    picture = torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(network(picture), again(picture), rtol=0, atol=0)
    assert not network.training
    assert {parameter.device.type for parameter in network.parameters()} == {"cpu"}
    assert {buffer.device.type for buffer in network.buffers()} == {"cpu"}
    assert card.weights.dtype == "float32"


def test_half_precision_is_stored_and_widened(folder) -> None:
    before = weights.load_weights(folder)[1].state_dict()
    full = bundle.read_card(folder).weights.bytes
    rewrite(folder, lambda state: {name: _half(tensor) for name, tensor in state.items()})
    card, network = weights.load_weights(folder)
    assert card.weights.dtype == "float16"
    assert card.weights.bytes < 0.65 * full
    for name, tensor in network.state_dict().items():
        assert tensor.dtype == before[name].dtype
        torch.testing.assert_close(tensor, before[name], rtol=1e-3, atol=1e-6)


def _half(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.half() if tensor.is_floating_point() else tensor


def test_writing_is_reproducible_and_leaves_nothing_beside(folder) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    rewrite(folder, lambda state: state)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_others_may_read_what_the_umask_lets_them(folder) -> None:
    assert (folder / "model.safetensors").stat().st_mode == (folder / "card.json").stat().st_mode


def test_a_failed_write_keeps_what_was_there(folder) -> None:
    card, network = weights.load_weights(folder)
    with pytest.raises(ValueError, match="temperature"):
        bundle.write_bundle(folder, dataclasses.replace(card, temperature=-1), network.state_dict())
    assert bundle.verify_bundle(folder) == card
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema": 2}, "made by a newer version"),
        ({"schema": None}, "schema"),
        ({"schema": "1"}, "schema"),
        ({"classes": None}, "card.classes is missing"),
        ({"classes": "glioma"}, "card.classes must be a list, not text"),
        ({"classes": ["a", "a"]}, "classes"),
        ({"labels": {"glioma": "Glioma"}}, "labels"),
        ({"no_tumour": "none"}, "no_tumour"),
        ({"name": "../evil"}, "name"),
        ({"temperature": 0}, "temperature"),
        ({"temperature": True}, "card.temperature must be a number"),
        ({"surprise": 1}, "card.surprise is not a known field"),
        ({"preprocessing__size": 10**9}, "preprocessing.size"),
        ({"preprocessing__margin": "wide"}, "card.preprocessing.margin must be a number, not text"),
        ({"weights__file": "../other/model.safetensors"}, "weights.file"),
        ({"weights__sha256": "0" * 63}, "weights.sha256"),
        ({"weights__sha256": "0" * 64}, "SHA-256 differs"),
        ({"weights__bytes": 12}, "the card says 12"),
        ({"architecture__options__width": 10**9}, "architecture.options"),
        ({"architecture__options__width": [1]}, "architecture.options"),
        ({"title": "\ud800"}, "not valid"),
    ],
)
def test_cards_that_do_not_fit(folder, changes, words) -> None:
    edit(folder, **changes)
    with pytest.raises(InputError, match=words):
        bundle.verify_bundle(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"schema": 1, "schema": 1}',
        b'{"schema":NaN}',
    ],
)
def test_cards_that_are_no_cards(folder, content) -> None:
    (folder / "card.json").write_bytes(content)
    with pytest.raises(InputError):
        bundle.read_card(folder)


def test_a_huge_card_is_not_read(folder) -> None:
    with (folder / "card.json").open("ab") as file:
        file.truncate(2**31)
    with pytest.raises(InputError, match="too large"):
        bundle.read_card(folder)


@pytest.mark.parametrize("keep", [0, 4, 8, 100, 5000, -1])
def test_truncated_weights(folder, keep) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match="bytes"):
        weights.load_weights(folder)


def test_changed_weights(folder) -> None:
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="SHA-256"):
        weights.load_weights(folder)


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps({"a": 1}),
        b"\xff" * 16,
        b"\x02" + b"\0" * 7 + b"{]",
        (2**62).to_bytes(8, "little"),
    ],
)
def test_weights_of_another_format(folder, content) -> None:
    import hashlib

    (folder / "model.safetensors").write_bytes(content)
    edit(folder, weights__sha256=hashlib.sha256(content).hexdigest(), weights__bytes=len(content))
    with pytest.raises(InputError, match="not a safetensors file"):
        bundle.verify_bundle(folder)


@pytest.mark.parametrize(
    "name", ["extra.pkl", "model.PT", "model.bin", "a/b/data.npz", "run.py", ".x.pth"]
)
def test_anything_but_plain_data(folder, name) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps({}))
    with pytest.raises(InputError, match="plain data"):
        bundle.verify_bundle(folder)


@pytest.mark.parametrize("name", ["README.md", "LICENSE", ".DS_Store", "evidence/worst.png"])
def test_plain_data_is_welcome(folder, name) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("plain")
    bundle.verify_bundle(folder)


def test_links_that_lead_out(folder, tmp_path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("secret")
    (folder / "notes.txt").symlink_to(outside)
    with pytest.raises(InputError, match="leads out"):
        bundle.verify_bundle(folder)


def test_folder_links_that_lead_out_or_loop(folder, tmp_path) -> None:
    (folder / "up").symlink_to(tmp_path)
    with pytest.raises(InputError, match="leads out"):
        bundle.verify_bundle(folder)
    (folder / "up").unlink()
    (folder / "loop").symlink_to(folder)
    with pytest.raises(InputError, match="not an ordinary file"):
        bundle.verify_bundle(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("name", ["card.json", "model.safetensors", "notes.txt"])
def test_pipes_do_not_block(folder, name) -> None:
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    with pytest.raises(InputError):
        bundle.verify_bundle(folder)


@pytest.mark.parametrize("name", ["card.json", "model.safetensors"])
def test_missing_files(folder, name) -> None:
    (folder / name).unlink()
    with pytest.raises(InputError):
        bundle.verify_bundle(folder)


def test_a_file_is_no_bundle(folder) -> None:
    with pytest.raises(InputError, match="not a folder"):
        bundle.verify_bundle(folder / "card.json")


def test_tensors_that_do_not_fit_are_named(folder) -> None:
    rewrite(folder, lambda state: {name: state[name] for name in state if name != "head.3.bias"})
    with pytest.raises(InputError, match=r"head\.3\.bias is missing"):
        weights.load_weights(folder)


def test_surplus_tensors_are_named(folder) -> None:
    rewrite(folder, lambda state: state | {"spy": torch.zeros(1)})
    with pytest.raises(InputError, match="spy is not part"):
        weights.load_weights(folder)


def test_wrong_shapes_are_named(folder) -> None:
    rewrite(folder, lambda state: state | {"head.3.bias": torch.zeros(5)})
    with pytest.raises(InputError, match=r"head\.3\.bias is 5, not 4"):
        weights.load_weights(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"architecture__name": "hal9000"},
        {"architecture__options__depth": 3},
        {"architecture__options__width": "wide"},
        {"architecture__options__width": -8},
        {"architecture__options__width": 0},
        {"architecture__options__classes": 3},
        {"architecture__options__width": 4096},
    ],
)
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_architectures_that_do_not_fit(folder, changes) -> None:
    edit(folder, **changes)
    bundle.verify_bundle(folder)
    with pytest.raises(InputError):
        weights.load_weights(folder)


def test_verifying_needs_no_torch(folder) -> None:
    program = (
        "import sys; from pathlib import Path; from tumorviewer.models import bundle, catalogue\n"
        "bundle.verify_bundle(Path(sys.argv[1])); catalogue.Catalogue().entries()\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, str(folder)], check=True)


def test_training_items_are_kept_as_digests(folder) -> None:
    card, network = weights.load_weights(folder)
    assert bundle.read_training_items(folder) == frozenset()
    seen = ["ab" * 32, "01" * 32, "ab" * 32]
    bundle.write_bundle(folder, card, network.state_dict(), seen)
    assert bundle.read_training_items(folder) == {"ab" * 8, "01" * 8}
    assert (folder / bundle.TRAINING_ITEMS).read_text() == "01" * 8 + "\n" + "ab" * 8 + "\n"
    assert bundle.verify_bundle(folder).weights == card.weights


@pytest.mark.parametrize("content", [b"\xff\xfe", b"0123", b"0123456789abcdeg"])
def test_a_damaged_list_of_training_items_is_not_half_believed(folder, content) -> None:
    (folder / bundle.TRAINING_ITEMS).write_bytes(b"0" * 16 + b"\n" + content)
    with pytest.raises(InputError, match="not a list of digests"):
        bundle.read_training_items(folder)
