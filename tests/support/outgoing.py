"""What leaves by webhook, notification or mail: a database with recipients, whose time a test moves."""

from aggregator.config.tuning import Tuning
from aggregator.config.webhooks import Recipient
from aggregator.sources.fetch.client import ClientSettings
from aggregator.sources.fetch.posting import WebhookPoster
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.store.stories import outbox
from aggregator.web.settings import PublishSettings
from aggregator.web.webhooks.dispatcher import WebhookDispatcher
from aggregator.web.webhooks.sender import WebhookSender, WebhookTuning
from aggregator.web.webhooks.transmit import Transmitter
from tests.support.articles import Clock, Rig
from tests.support.rows import read_by

LOOPBACK = ("127.0.0.0/8",)
SETTINGS = PublishSettings(public_url="https://news.example", digest_stories=20)


class Post:
    """A database with recipients; everything happens when a test says so, by a clock that it sets."""

    def __init__(self, database: Database, *recipients: Recipient, **tuning: float) -> None:
        self.clock = Clock()
        self.database = database
        self.rig = Rig(database, self.clock)
        self.all_tuning = Tuning({"webhooks": tuning})
        self._client = ClientSettings(allow_private=LOOPBACK)
        self.restart(*recipients)

    def restart(self, *recipients: Recipient) -> None:
        """As a daemon that starts with these recipients."""
        tuning = self.all_tuning.section("webhooks", WebhookTuning)
        reading = StoryReader(self.database, self.all_tuning)
        self.filling = WebhookDispatcher(
            self.database, reading, recipients, SETTINGS, tuning=tuning, steady_days=1.0, now=self.clock
        )
        self.filling.sync_webhooks()
        poster = WebhookPoster(
            self._client,
            self.all_tuning,
            deadline_seconds=tuning.deadline_seconds,
            response_cap_bytes=tuning.body_cap_bytes,
            now=self.clock,
        )
        self.transmitter = Transmitter(poster, SETTINGS, tuning, self._client, reading)
        self.sendings = [
            WebhookSender(
                self.database,
                one,
                self.transmitter.to(one),
                longest_wait_seconds=self.transmitter.longest_wait_seconds,
                tuning=tuning,
                steady_days=1.0,
                now=self.clock,
                chance=lambda: 0.5,
            )
            for one in recipients
        ]

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

    def stats(self) -> outbox.WebhookStats:
        return read_by(self.database, outbox.webhook_stats)[0]

    def problems(self) -> tuple[str, ...]:
        return read_by(self.database, outbox.problems, 1)
