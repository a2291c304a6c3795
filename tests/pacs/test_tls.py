"""TLS in both protocols: the right authority, a wrong one, a certificate of ours, passwords."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError
from pynetdicom import AE
from pynetdicom.sop_class import Verification

from tests.pacs.orthanc_server import free_port
from tests.pacs.web_server import WebServer
from tumorviewer.errors import InputError
from tumorviewer.pacs.addresses import AddressBook, ArchiveAddress
from tumorviewer.pacs.connection import connect

pytestmark = [
    pytest.mark.usefixtures("left_sockets"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


class MemoryKeyring(KeyringBackend):
    priority = -1  # never chosen by itself

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service, username):
        return self.kept.get((service, username))

    def set_password(self, service, username, password):
        self.kept[service, username] = password

    def delete_password(self, service, username):
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError(username)


@pytest.fixture
def memory_keyring():
    before, mine = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(mine)
    yield mine
    keyring.set_keyring(before)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> Path:
    """`server`, `client` and `stranger`: each its own authority, for 127.0.0.1."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificates, and is not installed")
    folder = tmp_path_factory.mktemp("tls")
    for name in ("server", "client", "stranger"):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext",
             "subjectAltName=IP:127.0.0.1", "-keyout", folder / f"{name}.key",
             "-out", folder / f"{name}.pem"],
            check=True, capture_output=True,
        )  # fmt: skip
    return folder


@contextmanager
def tls_peer(certificates: Path, port: int):
    context = ssl.create_default_context(
        ssl.Purpose.CLIENT_AUTH, cafile=certificates / "client.pem"
    )
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED
    entity = AE(ae_title="PEER")
    entity.add_supported_context(Verification)
    server = entity.start_server(("127.0.0.1", port), block=False, ssl_context=context)
    yield
    server.shutdown()


def peer(certificates: Path, port: int, **changes) -> ArchiveAddress:
    values = {
        "name": "peer", "host": "127.0.0.1", "port": port, "aet": "PEER", "tls": True,
        "ca_file": str(certificates / "server.pem"),
        "certificate": str(certificates / "client.pem"), "key": str(certificates / "client.key"),
        "timeout_s": 5.0,
    }  # fmt: skip
    return ArchiveAddress(**values | changes)


def test_dimse_over_tls(certificates) -> None:
    port = free_port()
    with tls_peer(certificates, port):
        assert "answers" in connect(peer(certificates, port)).test()
        wrong = peer(certificates, port, ca_file=str(certificates / "stranger.pem"))
        with pytest.raises(InputError, match="not trusted"):
            connect(wrong).test()
        with pytest.raises(InputError):
            connect(peer(certificates, port, certificate="", key="")).test()
        with pytest.raises(InputError):
            connect(peer(certificates, port, tls=False)).test()
        broken = peer(certificates, port, certificate=str(certificates / "none.pem"))
        with pytest.raises(InputError, match="cannot be read"):
            connect(broken).test()


def test_dicomweb_over_tls_with_a_password(certificates, memory_keyring) -> None:
    memory_keyring.set_password("tumorviewer", "web", "geheim")
    with WebServer(certificates / "server.pem", certificates / "server.key") as server:
        address = ArchiveAddress(
            "web", url=server.url, user="reader", ca_file=str(certificates / "server.pem")
        )
        assert "answers" in connect(address).test()
        _, headers = server.seen[-1]
        assert headers["Authorization"] == "Basic cmVhZGVyOmdlaGVpbQ=="
        assert headers["Accept"].startswith("application/dicom+json")
        server.status = 401
        with pytest.raises(InputError, match="HTTP 401"):
            connect(address).test()
        count = len(server.seen)
        for ca_file in (str(certificates / "stranger.pem"), ""):
            with pytest.raises(InputError, match="not trusted"):
                connect(replace(address, ca_file=ca_file)).test()
        assert len(server.seen) == count


def test_passwords_lie_in_the_keyring_and_nowhere_else(tmp_path, memory_keyring) -> None:
    book = AddressBook(tmp_path / "archives.json")
    address = ArchiveAddress("web", url="https://pacs.invalid/dicom-web", user="reader")
    book.add(address, "geheim")
    assert "geheim" not in (tmp_path / "archives.json").read_text()
    assert book.find("web") == address
    assert book.find("web").password() == "geheim"
    book.remove("web")
    assert not memory_keyring.kept
    assert book.list_addresses() == []


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"name": "a b", "url": "http://x"}, "A name has"),
        ({"name": "a", "url": "ftp://x"}, "http://"),
        ({"name": "a", "url": "http://u:p@x"}, "do not belong"),
        ({"name": "a", "host": "x", "port": 0, "aet": "A"}, "port"),
        ({"name": "a", "host": "x", "port": 104, "aet": "A\\B"}, "AE title"),
        ({"name": "a", "host": "x", "port": 104, "aet": "A" * 17}, "AE title"),
        ({"name": "a", "url": "https://x", "ca_file": "/none"}, "no file"),
    ],
)
def test_what_is_no_address_is_refused(tmp_path, values, told) -> None:
    with pytest.raises(InputError, match=told):
        AddressBook(tmp_path / "a.json").add(ArchiveAddress(**values))


def test_a_damaged_list_is_told(tmp_path) -> None:
    (tmp_path / "a.json").write_text('{"x": {"nonsense": 1}}')
    with pytest.raises(InputError, match="cannot be read"):
        AddressBook(tmp_path / "a.json").list_addresses()
    with pytest.raises(InputError, match="No archive"):
        AddressBook(tmp_path / "b.json").find("x")
