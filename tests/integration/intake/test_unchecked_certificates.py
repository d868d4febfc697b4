"""A source whose certificate is not checked says so as long as it lasts."""

from datetime import timedelta
from pathlib import Path

from aggregator.sources.fetch.client import Client, ClientSettings
from aggregator.sources.fetch.connections.certificates import UNCHECKED, HostTrust
from aggregator.store.engine.database import Database
from aggregator.store.intake.source_rows import all_sources
from aggregator.store.read.source_list import view_sources
from tests.support.articles import FLOOD, NOON
from tests.support.certificate import server_context
from tests.support.loopback import LoopbackServer, Resource
from tests.support.polling import ALL_TUNING, Office, feed_of, poller_on
from tests.support.rows import read_by
from tests.support.rss import item, rss

PRIVATE = ("127.0.0.0/8",)


def test_the_warning_stays_in_the_list_until_the_key_is_removed(
    sqlite: Database, certificate: Path
) -> None:
    unchecked = {"127.0.0.1": HostTrust(is_insecure=True)}
    checked = {"127.0.0.1": HostTrust(ca_files=(str(certificate.with_suffix(".crt")),))}
    feed = Resource(rss(item("Flood", FLOOD, guid="1")))
    with LoopbackServer({"/feed": feed}, tls=server_context(certificate)) as server:
        source = feed_of(server.url("/feed"))
        client = Client(
            ClientSettings(allow_private=PRIVATE, trusts=unchecked), ALL_TUNING
        )
        office = Office(sqlite, client, source)

        def problem() -> str | None:
            return read_by(sqlite, lambda connection: view_sources(connection, NOON))[
                0
            ].problem

        for _ in range(2):  # the second answer is 304
            office.polling.poll(read_by(sqlite, all_sources)[0])
            office.clock.time += timedelta(hours=2)
            assert problem() == UNCHECKED
        client.close()
        client = Client(
            ClientSettings(allow_private=PRIVATE, trusts=checked), ALL_TUNING
        )
        poller_on(sqlite, client, ALL_TUNING, office.clock).poll(
            read_by(sqlite, all_sources)[0]
        )
        assert problem() is None
        client.close()
