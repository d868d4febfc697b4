"""Send one delivery: a signed request, a notification by Apprise, or a mail with the digest."""

import base64
import datetime as dt
import hashlib
import hmac
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from aggregator.config.settings import Config
from aggregator.config.webhooks import DigestReader, Notification, Recipient, Webhook
from aggregator.sources.fetch.client import ClientSettings
from aggregator.sources.fetch.posting import PostResult, WebhookPoster
from aggregator.store.read.reader import StoryReader
from aggregator.web.settings import PublishSettings
from aggregator.web.webhooks.sender import Transmit, WebhookTuning

if TYPE_CHECKING:
    from email.message import EmailMessage

_JSON = {"content-type": "application/json"}


def signed_headers(key: bytes, id_: str, seconds: int, body: bytes) -> dict[str, str]:
    """Return the headers of a delivery sent at the Unix time `seconds`.

    They sign it by Standard Webhooks, version 1 (standardwebhooks.com): the receiver computes the same HMAC
    of id, time and body. The signed time prevents later replays; the id is the same at every attempt, so
    that the receiver recognizes repeated deliveries.
    """
    signed = f"{id_}.{seconds}.".encode() + body
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode("ascii")
    return {"webhook-id": id_, "webhook-timestamp": str(seconds), "webhook-signature": f"v1,{digest}"}


def request_body(webhook: Webhook, body: bytes, cap_bytes: int) -> bytes:
    """Return the body as the webhook's template writes it, or as it is.

    Raises ValueError if the template fails or writes more than `cap_bytes`.
    """
    if webhook.template is None:
        return body
    values = msgspec.json.decode(body)
    names = {"story": None, "change": None, "url": None} | values["data"] | values
    written, size = [], 0
    try:
        for part in webhook.template.generate(names):
            written.append(part.encode())
            size += len(written[-1])
            if size > cap_bytes:
                raise ValueError(f"the template writes more than {cap_bytes} bytes")
    except ValueError:
        raise
    except Exception as error:  # whatever a template does
        raise ValueError(f"the template fails: {type(error).__name__}") from error
    return b"".join(written)


class Transmitter:
    """Sends deliveries to all kinds of recipients. Thread-safe."""

    def __init__(
        self,
        poster: WebhookPoster,
        settings: PublishSettings,
        tuning: WebhookTuning,
        client: ClientSettings,
        reader: StoryReader | None = None,
    ) -> None:
        """`reader`: for the stories of digests."""
        self._poster = poster
        self._settings = settings
        self._tuning = tuning
        self._client = client
        self._reader = reader
        self._closers = [poster.close]

    @property
    def longest_wait_seconds(self) -> float:
        """The longest wait that a response may request."""
        return self._poster.longest_wait_seconds

    def to(self, recipient: Recipient) -> Transmit:
        """Return the function that sends a delivery to this recipient; to be called once for each."""
        if isinstance(recipient, Notification):
            from aggregator.web.webhooks.notification import AppriseRunner, notification_text

            runner = AppriseRunner(self._client.allow_private, self._tuning.deadline_seconds)
            self._closers.append(runner.close)
            return lambda _id, body, _now: runner.send(recipient.url, *notification_text(body))
        if isinstance(recipient, DigestReader):
            return self._mail_to(recipient)
        assert isinstance(recipient, Webhook)
        return partial(self._post, recipient)

    def close(self) -> None:
        """Stop: what is being sent ends at once, nothing later is sent."""
        for close in self._closers:
            close()

    def _post(self, webhook: Webhook, id_: str, body: bytes, now: dt.datetime) -> PostResult:
        try:
            content = request_body(webhook, body, self._tuning.body_cap_bytes)
        except ValueError as error:
            return PostResult(status=None, problem=str(error))
        own = {name.lower(): text for name, text in webhook.headers}
        signature = signed_headers(webhook.key, id_, int(now.timestamp()), content)
        return self._poster.post(webhook.url, content, _JSON | own | signature)

    def _mail_to(self, reader: DigestReader) -> Transmit:
        from aggregator.sources.fetch.posting import MailPoster

        server = reader.mail
        assert server is not None
        poster = MailPoster(self._client, deadline_seconds=self._tuning.deadline_seconds)
        self._closers.append(poster.close)

        def transmit(id_: str, body: bytes, now: dt.datetime) -> PostResult:
            mail = self._mail(reader, server.sender, id_, body, now)
            return PostResult(status=204) if mail is None else poster.send(server, mail)

        return transmit

    def _mail(
        self, reader: DigestReader, sender: str, id_: str, body: bytes, now: dt.datetime
    ) -> "EmailMessage | None":
        """Return the mail of a delivery; None if all its stories were forgotten."""
        from aggregator.store.read.digests import DigestSpan
        from aggregator.web.webhooks.digest_mail import digest_mail, trial_mail

        if msgspec.json.decode(body).get("type") == "test":
            return trial_mail(sender, reader.address, id_, now)
        assert self._reader is not None
        span = msgspec.json.decode(body, type=DigestSpan)
        digest = self._reader.digest(span, self._settings.digest_filter(span.until))
        return digest_mail(digest, self._settings, sender, reader.address, id_) if digest.stories else None


def transmitter_of(
    config: Config,
    settings: PublishSettings,
    now: Callable[[], dt.datetime],
    reader: StoryReader | None = None,
) -> Transmitter:
    """Return the transmitter with the configured networks and limits."""
    tuning = config.effective_tuning.section("webhooks", WebhookTuning)
    client = ClientSettings(contact=config.fetch.contact, allow_private=config.fetch.allow_private)
    poster = WebhookPoster(
        client,
        config.effective_tuning,
        deadline_seconds=tuning.deadline_seconds,
        response_cap_bytes=tuning.body_cap_bytes,
        now=now,
    )
    return Transmitter(poster, settings, tuning, client, reader)
