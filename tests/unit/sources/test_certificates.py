"""Certificates that only the house or the system knows, against real TLS servers on loopback."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from aggregator.admin.config_check import check_config, report_findings
from aggregator.config.loader import load
from aggregator.config.settings import Config
from aggregator.config.tuning import Tuning
from aggregator.model.errors import ConfigError, FetchError
from aggregator.sources.fetch.client import ClientSettings, client_of
from aggregator.sources.fetch.connections.certificates import UNCHECKED, tls_of
from aggregator.sources.fetch.mails.mailbox import read_mailbox
from aggregator.sources.fetch.posting import WebhookPoster
from aggregator.sources.fetch.response import FetchResult
from aggregator.sources.fetch.robots import Robots
from aggregator.sources.source_limits import source_tuning
from tests.support.articles import NOON
from tests.support.certificate import server_context
from tests.support.imap_server import PASSWORD, USER, ImapServer, mail
from tests.support.loopback import LoopbackServer, Resource, redirect
from tests.support.tables import each_row

FEED = b"<rss version='2.0'><channel><title>House</title></channel></rss>"
LIMITS = source_tuning(Tuning())
PRIVATE = "fetch: {allow_private: [127.0.0.0/8], host_gap: 0s}\n"


@pytest.fixture(autouse=True)
def _no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture(params=["chain", "leaf", "self"])
def server(request: pytest.FixtureRequest, house: Path) -> Iterator[LoopbackServer]:
    with serving(house, request.param) as made:
        made.kind = request.param  # type: ignore[attr-defined]
        yield made


def serving(house: Path, name: str) -> LoopbackServer:
    return LoopbackServer(
        {"/f": Resource(FEED)}, tls=server_context(house / f"{name}.server")
    )


def configured(
    folder: Path, server: LoopbackServer, keys: str, host: str = "127.0.0.1"
) -> Config:
    file = folder / "config.yaml"
    feed = server.url("/f", host)
    file.write_text(
        f"{PRIVATE}sources:\n  - feed: {feed}\n    name: house\n{keys}", "utf-8"
    )
    return load(file)


def fetched(config: Config, url: str) -> FetchResult:
    with closing(client_of(config)) as client:
        return client.fetch(url)


def test_unknown_certificates_are_refused_and_the_message_names_the_remedies(
    tmp_path: Path, server: LoopbackServer
) -> None:
    with pytest.raises(FetchError) as caught:
        fetched(configured(tmp_path, server, ""), server.url("/f"))
    assert caught.value.cause == "tls"
    for remedy in (
        "store of the system",
        "SSL_CERT_FILE",
        "ca_file",
        "insecure",
        "intermediate",
    ):
        assert remedy in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "place"), [("SSL_CERT_FILE", "ca.pem"), ("SSL_CERT_DIR", "hashed")]
)
def test_an_authority_of_the_system_is_known(
    house: Path,
    tmp_path: Path,
    variable: str,
    place: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(variable, str(house / place))
    with serving(house, "chain") as server:
        assert fetched(configured(tmp_path, server, ""), server.url("/f")).body == FEED
        settings = ClientSettings(allow_private=("127.0.0.0/8",))
        poster = WebhookPoster(
            settings,
            Tuning(),
            deadline_seconds=9,
            response_cap_bytes=9000,
            now=lambda: NOON,
        )
        assert poster.post(server.url("/f"), b"{}", {}).is_accepted
        poster.close()


def test_the_authorities_of_certifi_stay_known_beside_the_others(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = {one["serialNumber"] for one in tls_of().get_ca_certs()}
    monkeypatch.setenv("SSL_CERT_FILE", str(house / "ca.pem"))
    with_house = {one["serialNumber"] for one in tls_of().get_ca_certs()}
    assert len(with_house) > 50
    assert len(with_house - alone) == 1


@pytest.mark.later
@each_row("certificates", "a ca file is known for its source", "name", "file")
def test_a_ca_file_is_known_for_its_source(
    house: Path, tmp_path: Path, name: str, file: str
) -> None:
    (tmp_path / "own.pem").write_text((house / file).read_text())
    with serving(house, name) as server:
        result = fetched(
            configured(tmp_path, server, "    ca_file: own.pem\n"), server.url("/f")
        )
        assert (result.body, result.is_unchecked) == (FEED, False)


@pytest.mark.later
@pytest.mark.parametrize("name", ["expired", "other"])
def test_an_expired_certificate_or_one_of_another_name_is_refused(
    house: Path, tmp_path: Path, name: str
) -> None:
    with serving(house, name) as server:
        config = configured(tmp_path, server, f"    ca_file: {house / 'both.pem'}\n")
        with pytest.raises(
            FetchError,
            match="expired" if name == "expired" else "not valid for '127.0.0.1'",
        ):
            fetched(config, server.url("/f"))
        assert (
            fetched(
                configured(tmp_path, server, "    insecure: true\n"), server.url("/f")
            ).body
            == FEED
        )


@pytest.mark.later
def test_insecure_is_read_with_a_mark(tmp_path: Path, server: LoopbackServer) -> None:
    result = fetched(
        configured(tmp_path, server, "    insecure: true\n"), server.url("/f")
    )
    assert (result.body, result.is_unchecked) == (FEED, True)


@pytest.mark.later
def test_both_keys_are_for_the_host_of_the_source_alone(
    house: Path, tmp_path: Path
) -> None:
    """Also pages and robots.txt of the host; a redirect to another host is checked as any."""
    for keys in ("    insecure: true\n", f"    ca_file: {house / 'both.pem'}\n"):
        with (
            serving(house, "leaf") as server,
            closing(client_of(configured(tmp_path, server, keys))) as client,
        ):
            robots = Robots(client)
            page = server.url("/page")
            server.routes["/page"] = "text"
            assert (
                robots.answer(
                    page, source_port=server.port, linked_from=server.url("/f")
                )
                == "yes"
            )
            linked = server.url("/f")
            assert (
                client.fetch(
                    page, accept="page", source_port=server.port, linked_from=linked
                ).body
                == b"text"
            )
            with pytest.raises(FetchError, match="tls"):
                client.fetch(server.url("/f", "localhost"))
            server.routes["/away"] = redirect(server.url("/f", "localhost"))
            with pytest.raises(FetchError):
                client.fetch(server.url("/away"))


@pytest.mark.later
@pytest.mark.parametrize("keys", ["    insecure: true\n", "    ca_file: own.pem\n"])
def test_a_mailbox_has_the_same_keys(house: Path, tmp_path: Path, keys: str) -> None:
    (tmp_path / "own.pem").write_text((house / "self.pem").read_text())
    with ImapServer(tls=server_context(house / "self.server")) as server:
        server.messages[1] = mail(1, "The lift is repaired.")
        address = f"imaps://127.0.0.1:{server.port}/INBOX"
        file = tmp_path / "config.yaml"
        source = f"{PRIVATE}sources:\n  - imap: {address}\n    auth: {{user: anna, password: secret}}\n"

        def messages(more: str) -> int:
            file.write_text(source + more)
            with closing(client_of(load(file))) as client:
                signed_in = address.replace("//", f"//{quote(USER)}@")
                return len(read_mailbox(client, signed_in, PASSWORD, LIMITS).messages)

        with pytest.raises(FetchError, match=r"tls: .*ca_file"):
            messages("")
        assert messages(keys) == 1


@each_row(
    "certificates",
    "an unusable ca file is a mistake of the configuration",
    "content",
    "words",
)
def test_an_unusable_ca_file_is_a_mistake_of_the_configuration(
    house: Path, tmp_path: Path, content: str | None, words: str
) -> None:
    if content is not None:
        (tmp_path / "own.pem").write_text(content)
    with serving(house, "chain") as server:
        config = configured(tmp_path, server, "    ca_file: own.pem\n")
        with pytest.raises(ConfigError, match=words) as caught:
            check_config(config)
        assert "sources.0.ca_file" in str(caught.value)


def test_the_doctor_names_what_is_not_checked(
    house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
    with serving(house, "self") as server:
        found = [
            one.what
            for one in report_findings(
                configured(tmp_path, server, "    insecure: true\n")
            )
            if one.level == "warning"
        ]
    assert any("house" in one and UNCHECKED in one for one in found)
    assert any("SSL_CERT_FILE" in one and "not there" in one for one in found)
