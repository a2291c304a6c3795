"""The archives that are known, and a form for another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtGui import QIntValidator
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from tumorviewer.desktop.hospital.archives_controller import ArchivesController
from tumorviewer.desktop.hospital.row_table import RowTable
from tumorviewer.desktop.widgets import theme
from tumorviewer.desktop.widgets.controls import make_button, make_heading, make_label
from tumorviewer.desktop.widgets.pages import make_facts, make_row
from tumorviewer.errors import InputError
from tumorviewer.language import tr

if TYPE_CHECKING:
    from tumorviewer.pacs.addresses import ArchiveAddress


class ArchivesDialog(QDialog):
    """Nothing is asked of an archive before it is tested, searched or sent to.

    Parameters
    ----------
    controller
        Keeps the list.
    """

    def __init__(self, parent: QWidget, controller: ArchivesController) -> None:
        super().__init__(parent)
        self._controller = controller
        self._archives: list[ArchiveAddress] = []
        self.setWindowTitle(tr("Archives"))
        self.table = RowTable(tr("Archives"), (tr("Name"), tr("Address")))
        self.message = make_label("", "notice")
        self.test, self.remove = make_button(tr("Test")), make_button(tr("Remove"))
        self.add = make_button(tr("Add"), "primary")
        self._make_fields()
        self._lay_out()
        self._connect()
        self.resize(640, 640)
        self._list_again([])
        controller.list_archives()

    def _make_fields(self) -> None:
        self.name, self.host, self.aet = QLineEdit(), QLineEdit(), QLineEdit()
        self.calling_aet = QLineEdit("TUMORVIEWER")
        self.port = QLineEdit()
        self.port.setValidator(QIntValidator(1, 65535, self))
        self.port.setPlaceholderText("104")
        self.tls = QCheckBox(tr("Encrypted (TLS)"))
        self.url, self.user, self.password = QLineEdit(), QLineEdit(), QLineEdit()
        self.url.setPlaceholderText("https://")
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        self.ca_file = QLineEdit()
        self.ca_file.setPlaceholderText(tr("As the system trusts"))

    def _lay_out(self) -> None:
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        for button in (self.test, self.remove, self.add):
            button.setAutoDefault(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(12)
        layout.addWidget(self.table, 1)
        layout.addLayout(make_row(self.test, self.remove))
        layout.addWidget(self.message)
        layout.addWidget(make_heading(tr("Add an archive: by DIMSE, or by DICOMweb")))
        layout.addWidget(
            make_facts(
                (tr("Name"), self.name),
                (tr("Host"), self.host),
                (tr("Port"), self.port),
                (tr("Its AE title"), self.aet),
                (tr("Our AE title"), self.calling_aet),
                ("", self.tls),
                (tr("URL of DICOMweb"), self.url),
                (tr("User"), self.user),
                (tr("Password"), self.password),
                (tr("CA file"), self.ca_file),
            )
        )
        self.tls.setAccessibleName(self.tls.text())
        words = tr("The password is kept in the system's keyring.")
        layout.addWidget(make_label(words, "small"))
        layout.addLayout(make_row(self.add))
        layout.addWidget(buttons)
        self.message.hide()

    def _connect(self) -> None:
        self._controller.listed.connect(self._list_again)
        self._controller.tested.connect(self._show_answer)
        self._controller.failed.connect(self._show_problem)
        self.test.clicked.connect(self._test)
        self.remove.clicked.connect(self._remove)
        self.add.clicked.connect(self._add)

    def _list_again(self, archives: list[ArchiveAddress]) -> None:
        self._archives = archives
        self.table.show_rows([(one.name, describe_address(one)) for one in archives])
        for button in (self.test, self.remove):
            button.setEnabled(bool(archives))

    @property
    def _chosen(self) -> str:
        row = self.table.currentRow()
        return self._archives[row].name if 0 <= row < len(self._archives) else ""

    def _test(self) -> None:
        self._say(tr("Asking {name}…", name=self._chosen), "notice")
        self._controller.test(self._chosen)

    def _remove(self) -> None:
        self.message.hide()
        self._controller.remove(self._chosen)

    def _add(self) -> None:
        from tumorviewer.pacs.addresses import ArchiveAddress

        self.message.hide()
        address = ArchiveAddress(
            name=self.name.text().strip(),
            host=self.host.text().strip(),
            port=int(self.port.text() or 0),
            aet=self.aet.text().strip(),
            calling_aet=self.calling_aet.text().strip(),
            url=self.url.text().strip(),
            user=self.user.text().strip(),
            ca_file=self.ca_file.text().strip(),
            tls=self.tls.isChecked(),
        )
        self._controller.add(address, self.password.text())
        self.password.clear()

    def _show_answer(self, words: str) -> None:
        self._say(words, "notice")

    def _show_problem(self, error: InputError) -> None:
        self._say(f"{error.source}: {error.message}", "error")

    def _say(self, words: str, role: str) -> None:
        theme.set_role(self.message, role)
        self.message.setText(words)
        self.message.show()


def describe_address(address: ArchiveAddress) -> str:
    """Where an archive is, in a line."""
    if address.is_web:
        return address.url
    return f"{address.aet}@{address.host}:{address.port}{' (TLS)' if address.tls else ''}"
