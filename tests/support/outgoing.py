"""What leaves by webhook, notification or mail: a database with recipients, whose time a test moves."""

from functools import partial

from aggregator.config.tuning import Tuning
from aggregator.config.webhook_settings import Recipient
from aggregator.deliver.delivery_bodies import DeliveryWriter
from aggregator.deliver.dispatcher import WebhookDispatcher
from aggregator.deliver.sender import WebhookSender
from aggregator.deliver.transmit import Transmitter
from aggregator.model.entry import Entry
from aggregator.publish.output_settings import PublishSettings
from aggregator.sources.fetch.client import ClientSettings
from aggregator.store.deliveries import recipients
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.web.feeds.digest_feeds import digest_mail
from tests.support.articles import Clock, Rig
from tests.support.rows import read_by

LOOPBACK = ("127.0.0.0/8",)
SETTINGS = PublishSettings(public_url="https://news.example", digest_stories=20)


class Post:
    """A database with recipients; everything happens when a test says so, by a clock that it sets."""

    def __init__(
        self, database: Database, *recipients: Recipient, **tuning: float
    ) -> None:
        self.clock = Clock()
        self.database = database
        self.rig = Rig(database, self.clock)
        self.all_tuning = Tuning({"webhooks": tuning})
        self._client = ClientSettings(allow_private=LOOPBACK)
        self.restart(*recipients)

    def restart(self, *recipients: Recipient) -> None:
        """As a daemon that starts with these recipients."""
        reading = StoryReader(self.database, self.all_tuning)
        self.filling = WebhookDispatcher(
            self.database, recipients, self.all_tuning, self.clock
        )
        self.filling.sync_webhooks()
        self.transmitter = Transmitter(self._client, self.all_tuning, self.clock)
        write_digest = partial(digest_mail, reading, SETTINGS)
        writer = DeliveryWriter(reading, SETTINGS, self.all_tuning, write_digest)
        self.sendings = [
            WebhookSender(
                self.database,
                one,
                writer,
                self.transmitter,
                self.all_tuning,
                self.clock,
                chance=lambda: 0.5,
            )
            for one in recipients
        ]

    def deliver(self, *entries: Entry) -> None:
        """Place these, and send all that is due."""
        self.rig.take(*entries)
        self.run()

    def fill(self) -> None:
        while self.filling.step() is not None:
            pass

    def send(self) -> list[float | None]:
        """All that is due; the seconds until the next is, for each recipient."""
        waits: list[float | None] = []
        for sending in self.sendings:
            while (wait := sending.step()) == 0.0:
                pass
            waits.append(wait)
        return waits

    def run(self) -> list[float | None]:
        self.rig.pipeline.index_text(lambda: False)
        self.fill()
        return self.send()

    def stats(self) -> recipients.WebhookStats:
        return read_by(self.database, recipients.webhook_stats)[0]

    def problems(self) -> tuple[str, ...]:
        return read_by(self.database, recipients.problems)
