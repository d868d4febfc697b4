"""Send one delivery: to a webhook as a signed request, to other recipients with Apprise."""

import base64
import hashlib
import hmac
from datetime import datetime

from aggregator.config.settings import Config
from aggregator.config.tuning import Tuning
from aggregator.config.webhook_settings import (
    DigestReader,
    Recipient,
    Webhook,
)
from aggregator.deliver.apprise import AppriseRunner
from aggregator.deliver.apprise_process import Notice
from aggregator.model.clock import Clock
from aggregator.model.structs import FrozenStruct
from aggregator.sources.fetch.client import ClientSettings
from aggregator.sources.fetch.posting import PostResult, WebhookPoster
from aggregator.sources.source_limits import net_tuning


class WebhookTuning(FrozenStruct):
    """Section `webhooks` of config/tuning.yaml, which states units and origins."""

    body_cap_bytes: int
    retry_first_seconds: float
    retry_factor: float
    pause_max_seconds: float
    give_up_seconds: float
    waiting_max: int


def signed_headers(key: bytes, id_: str, seconds: int, body: bytes) -> dict[str, str]:
    """Return the headers of a delivery sent at the Unix time `seconds`.

    They sign the delivery by Standard Webhooks, version 1 (standardwebhooks.com): the receiver computes the same HMAC
    of id, time and body. The signed time prevents later replays. The id is the same at every attempt, so that the
    receiver recognizes repeated deliveries.
    """
    signed = f"{id_}.{seconds}.".encode() + body
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode(
        "ascii"
    )
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(seconds),
        "webhook-signature": f"v1,{digest}",
    }


def outgoing_client(config: Config) -> ClientSettings:
    """Return the settings for requests to webhooks: the operator's contact, and the allowed private networks."""
    return ClientSettings(
        contact=config.fetch.contact, allow_private=config.fetch.allow_private
    )


class Transmitter:
    """Sends deliveries to all kinds of recipients. Thread-safe."""

    def __init__(
        self,
        client: ClientSettings,
        all_tuning: Tuning,
        now: Clock,
    ) -> None:
        tuning = all_tuning.section("webhooks", WebhookTuning)
        seconds = net_tuning(all_tuning).fetch_deadline_seconds
        self._poster = WebhookPoster(
            client,
            all_tuning,
            deadline_seconds=seconds,
            response_cap_bytes=tuning.body_cap_bytes,
            now=now,
        )
        self._apprise = AppriseRunner(client.allow_private, seconds)

    def send(
        self, recipient: Recipient, id_: str, message: bytes | Notice, now: datetime
    ) -> PostResult:
        """Send the delivery with this id: bytes to a webhook, a notice with Apprise. Errors are in the result."""
        match recipient, message:
            case Webhook(), bytes():
                headers = {"content-type": "application/json"}
                headers |= {name.lower(): text for name, text in recipient.headers}
                signed = signed_headers(
                    recipient.key, id_, int(now.timestamp()), message
                )
                return self._poster.post(recipient.url, message, headers | signed)
            case DigestReader(), Notice():
                return self._apprise.send(
                    f"{recipient.url}&%2BX-Delivery={id_}", message
                )
            case _, Notice():
                return self._apprise.send(recipient.url, message)
        raise AssertionError(recipient)

    def close(self) -> None:
        """Stop sending at once; running requests are cut."""
        self._poster.close()
        self._apprise.close()
