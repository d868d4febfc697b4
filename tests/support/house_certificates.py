"""Certificates of an authority that only the house knows, made with the openssl command."""

import shutil
import subprocess
from pathlib import Path

import pytest

_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
_AUTHORITY = (
    "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
)
_IDENTIFIERS = "authorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `ca.pem`, `int.pem`, and with keys `chain`, `leaf`, `other`, `expired` and `self`.

    `other` is for another name, `expired` is over; `leaf` comes without the intermediate certificate.
    """
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command to make certificates")
    folder = tmp_path_factory.mktemp("house")

    def openssl(*arguments: str) -> None:
        subprocess.run(
            ["openssl", *arguments], cwd=folder, check=True, capture_output=True
        )

    def sign(
        name: str, subject: str, extensions: str, issuer: str, *dates: str
    ) -> None:
        (folder / f"{name}.ext").write_text(extensions)
        openssl(
            "req",
            *_KEY,
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.csr",
            "-subj",
            f"/CN={subject}",
        )
        openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key",
            "-CAcreateserial", "-out", f"{name}.pem", "-extfile", f"{name}.ext", *(dates or ("-days", "2")),
        )  # fmt: skip

    openssl("req", *_KEY, "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
            "-subj", "/CN=House Authority", "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip
    sign("int", "House Issuing", _AUTHORITY + _IDENTIFIERS, "ca")
    here = "subjectAltName=DNS:localhost,IP:127.0.0.1\n" + _IDENTIFIERS
    sign("leaf", "localhost", here, "int")
    sign("other", "other", "subjectAltName=DNS:other.example\n" + _IDENTIFIERS, "int")
    sign("expired", "localhost", here, "int", "-days", "-1")
    openssl("req", *_KEY, "-x509", "-keyout", "self.key", "-out", "self.pem", "-days", "2",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1")  # fmt: skip
    text = {
        name: (folder / f"{name}.pem").read_text()
        for name in ("int", "leaf", "other", "expired", "self")
    }
    for name in ("leaf", "other", "expired", "self"):
        key = (folder / f"{name}.key").read_text()
        more = text["int"] if name in ("other", "expired") else ""
        (folder / f"{name}.server").write_text(key + text[name] + more)
    (folder / "chain.server").write_text(
        (folder / "leaf.server").read_text() + text["int"]
    )
    (folder / "both.pem").write_text((folder / "ca.pem").read_text() + text["int"])
    hashed = folder / "hashed"
    hashed.mkdir()
    shutil.copy(folder / "ca.pem", hashed)
    openssl("rehash", "hashed")
    return folder
