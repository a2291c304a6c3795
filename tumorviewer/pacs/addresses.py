"""Which archives are known, in a file of the user's; passwords lie in the system's keyring."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tumorviewer.errors import InputError
from tumorviewer.files import replace_atomically
from tumorviewer.language import tr
from tumorviewer.resources import home_path

_AE_TITLE = re.compile(r"(?! )[ -\[\]-~]{1,16}(?<! )")
"""PS3.5 6.2: no backslash, no control signs, no spaces at the ends."""
_NAME = re.compile(r"[\w.-]{1,64}")
SERVICE = "tumorviewer"


@dataclass(frozen=True)
class ArchiveAddress:
    """How an archive is reached: by DIMSE at a host and port, or by DICOMweb at a URL."""

    name: str
    host: str = ""
    port: int = 0
    aet: str = ""
    """The archive's AE title."""
    calling_aet: str = "TUMORVIEWER"
    """Ours."""
    url: str = ""
    """Of DICOMweb; then host, port and AE title are not used."""
    user: str = ""
    """For DICOMweb; the password is in the keyring."""
    ca_file: str = ""
    """PEM file of the authority that signed the archive's certificate; of DIMSE over TLS too."""
    certificate: str = ""
    """PEM file of our own certificate, where the archive asks for one."""
    key: str = ""
    """PEM file of its key."""
    tls: bool = False
    """DIMSE over TLS (PS3.15 B.12); DICOMweb says it by ``https``."""
    commitment_port: int = 0
    """Ours, where the archive sends its storage commitments; 0: what was sent is confirmed by
    reading it back and comparing."""
    timeout_s: float = 30.0
    """For a connection, and for an answer."""

    @property
    def is_web(self) -> bool:
        """Whether it speaks DICOMweb."""
        return bool(self.url)

    def password(self) -> str:
        """From the system's keyring; empty if there is none."""
        import keyring
        from keyring.errors import KeyringError

        try:
            return keyring.get_password(SERVICE, self.name) or ""
        except KeyringError as error:
            raise InputError(self.name, tr("The system's keyring cannot be read.")) from error


class AddressBook:
    """The archives of this user.

    Parameters
    ----------
    path
        The file; ``archives.json`` in the user's folder by default.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or home_path("archives.json")

    def list_addresses(self) -> list[ArchiveAddress]:
        """All, by name.

        Raises
        ------
        InputError
            If the file is damaged.
        """
        return [ArchiveAddress(**values) for _, values in sorted(self._read().items())]

    def find(self, name: str) -> ArchiveAddress:
        """The archive of a name.

        Raises
        ------
        InputError
            If there is none.
        """
        values = self._read().get(name)
        if values is None:
            remedy = tr("`tumorviewer pacs list` shows those that are there.")
            raise InputError(name, tr("No archive has this name."), remedy)
        return ArchiveAddress(**values)

    def add(self, address: ArchiveAddress, password: str = "") -> None:
        """Keep an archive, in place of one of the same name.

        Raises
        ------
        InputError
            If it is not complete or not valid, or the password cannot be kept.
        """
        check_address(address)
        if password:
            _keep_password(address.name, password)
        self._write({**self._read(), address.name: asdict(address)})

    def remove(self, name: str) -> None:
        """Forget an archive and its password."""
        self.find(name)
        self._write({key: values for key, values in self._read().items() if key != name})
        _forget_password(name)

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            content = json.loads(self._path.read_text("utf-8"))
            for values in content.values():
                ArchiveAddress(**values)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            reason = tr("The list of archives cannot be read.")
            raise InputError(str(self._path), reason, tr("Correct it or delete it.")) from error
        else:
            found: dict[str, dict[str, Any]] = content
            return found

    def _write(self, content: dict[str, dict[str, Any]]) -> None:
        with replace_atomically(self._path) as beside:
            beside.write_text(json.dumps(content, indent=2), "utf-8")


def check_address(address: ArchiveAddress) -> None:
    """Refuse what cannot be the address of an archive.

    Raises
    ------
    InputError
        Which part of it is wrong.
    """
    problem = _problem(address)
    if problem:
        raise InputError(address.name or tr("archive"), problem)


def _problem(address: ArchiveAddress) -> str:
    if not _NAME.fullmatch(address.name):
        return tr("A name has letters, digits, dots, dashes and underscores only.")
    if address.is_web:
        parts = urlsplit(address.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return tr("The address must begin with http:// or https:// and name a host.")
        if parts.username or parts.password:
            return tr("User and password do not belong in the address.")
    elif not address.host or not 0 < address.port < 65536:
        return tr("A host and a port from 1 to 65535 are needed, or the URL of DICOMweb.")
    elif not _AE_TITLE.fullmatch(address.aet) or not _AE_TITLE.fullmatch(address.calling_aet):
        return tr("An AE title has 1 to 16 signs, no backslash, no spaces at its ends.")
    files = (address.ca_file, address.certificate, address.key)
    missing = [path for path in files if path and not Path(path).is_file()]
    return tr("There is no file {path}.", path=missing[0]) if missing else ""


def _keep_password(name: str, password: str) -> None:
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.set_password(SERVICE, name, password)
    except KeyringError as error:
        reason = tr("This system has no keyring: the password cannot be kept.")
        remedy = tr("Set up a keyring, or use a client certificate.")
        raise InputError(name, reason, remedy) from error


def _forget_password(name: str) -> None:
    import contextlib

    import keyring
    from keyring.errors import KeyringError

    with contextlib.suppress(KeyringError):
        keyring.delete_password(SERVICE, name)
