"""Send one delivery: a signed request, a notification by Apprise, or a mail with the digest.

The mail of a digest has text and HTML, and the same Message-ID at every attempt.

Apprise runs in a process of its own.
"""

import base64
import datetime as dt
import hashlib
import hmac
import os
import re
import subprocess
import sys
import threading
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import msgspec

from aggregator.config.messages import story_numbers
from aggregator.config.settings import Config
from aggregator.config.tuning import Tuning
from aggregator.config.webhooks import DigestReader, Notification, Recipient, Webhook
from aggregator.model.core import Clock, FrozenStruct
from aggregator.model.errors import TooManyFilesError
from aggregator.sources.fetch.client import ClientSettings
from aggregator.sources.fetch.posting import MailPoster, PostResult, WebhookPoster
from aggregator.sources.limits import net_tuning
from aggregator.store.read.digests import DigestSpan
from aggregator.store.read.reader import StoryReader
from aggregator.web.feeds.items import digest_html, digest_text, digest_title
from aggregator.web.sanitise import one_line
from aggregator.web.settings import PublishSettings
from aggregator.web.webhooks.apprise_process import NotificationJob, NotificationReply

# For the process to start and load Apprise, on a busy machine (0.5 s on a quiet one)
_START_SECONDS = 15.0
_REPLY_CAP_BYTES = 10_000
_LISTED_CHARS = 100  # of a headline in a list
_MODULE = "aggregator.web.webhooks.apprise_process"
# "@everyone" in a title would call all people of a chat
_MENTION = re.compile(r"@(?=\S)")


def notification_text(body: bytes) -> tuple[str, str]:
    """Return title and text of a notification from the body of its delivery."""
    delivery = msgspec.json.decode(body)
    if delivery["type"] == "test":
        return "Test", "This is a test of aggregator."
    if delivery["type"] == "several":
        number, stories = delivery["number"], delivery["stories"]
        lines = [
            f"{_shortened(_plain(one['title']) or 'Untitled')}\n{one['url']}"
            for one in stories
        ]
        if left := number - len(stories):
            lines.append(
                f"and {left:,} more: {stories[0]['url'].rpartition('/stories/')[0]}/"
            )
        return (
            f"{number:,} {'stories' if delivery['each'] == 'story' else 'reports'}",
            "\n".join(lines),
        )
    data = delivery["data"]
    story, article = data["story"], data["change"]["article"]
    counts = ("report_count", "outlet_count", "unknown_outlet_count", "article_count")
    lines = [", ".join(story_numbers(*(story[name] for name in counts)))]
    if article is not None:
        named = ": ".join(
            _plain(text) for text in (article["outlet"], article["title"]) if text
        )
        lines += [line for line in (named, article["url"]) if line]
    return _plain(story["title"]) or "Untitled", "\n".join(
        [*lines, f"Story: {data['url']}"]
    )


def _shortened(title: str) -> str:
    return (
        title
        if len(title) <= _LISTED_CHARS
        else title[: _LISTED_CHARS - 1].rstrip() + "…"
    )


def _plain(text: str) -> str:
    """Return a text of a publisher on one line; an invisible sign (U+2060) keeps it from calling anybody."""
    return _MENTION.sub("@\u2060", one_line(text))


class AppriseRunner:
    """Runs Apprise in a process of its own for each notification. Thread-safe."""

    def __init__(self, allow_private: tuple[str, ...], deadline_seconds: float) -> None:
        """`deadline_seconds` limits one notification, the start of its process not counted."""
        self._allow_private = allow_private
        self._seconds = _START_SECONDS + deadline_seconds
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def send(self, url: str, title: str, text: str) -> PostResult:
        """Send a notification to an address of Apprise. Errors are returned in the result.

        Raise TooManyFilesError if this process cannot open the pipes.
        """
        job = NotificationJob(
            url=url,
            title=title,
            text=text,
            allow_private=self._allow_private,
            deadline_seconds=int(self._seconds) + 1,
        )
        try:
            process = self._start()
        except OSError as error:  # no files, processes or memory left
            if TooManyFilesError.is_behind(error):
                raise TooManyFilesError from error
            return PostResult(
                status=None, problem=f"Apprise cannot be started: {error.strerror}"
            )
        if process is None:
            return PostResult(status=None, problem="stopped", is_stopped=True)
        try:
            said, _ = process.communicate(
                msgspec.json.encode(job), timeout=self._seconds
            )
            reply = msgspec.json.decode(said[:_REPLY_CAP_BYTES], type=NotificationReply)
        except subprocess.TimeoutExpired:
            reply = NotificationReply(
                ok=False, problem=f"not sent within {self._seconds:.0f} s"
            )
        except (OSError, msgspec.DecodeError):
            reply = NotificationReply(
                ok=False, problem="Apprise ended without an answer"
            )
        finally:
            process.kill()
            process.communicate()
            with self._lock:
                self._running.discard(process)
        return PostResult(
            status=200 if reply.ok else None,
            problem=reply.problem,
            is_stopped=self._stopped and not reply.ok,
        )

    def close(self) -> None:
        """Stop: running processes are killed, later ones are not started."""
        with self._lock:
            self._stopped = True
            for one in self._running:
                one.kill()

    def _start(self) -> subprocess.Popen[bytes] | None:
        # Behind a proxy the guard would not see where a connection leads.
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.lower().endswith("_proxy")
        }
        with self._lock:
            if self._stopped:
                return None
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and module; the job comes by stdin
                [sys.executable, "-P", "-m", _MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=kept,
                # Ctrl-C at the terminal goes to the daemon only
                start_new_session=True,
            )
            self._running.add(process)
            return process


_JSON = {"content-type": "application/json"}


class WebhookTuning(FrozenStruct):
    """Section `webhooks` of config/tuning.yaml, which states units and origins."""

    body_cap_bytes: int
    retry_first_seconds: float
    retry_factor: float
    pause_max_seconds: float
    waiting_max: int


def signed_headers(key: bytes, id_: str, seconds: int, body: bytes) -> dict[str, str]:
    """Return the headers of a delivery sent at the Unix time `seconds`.

    They sign it by Standard Webhooks, version 1 (standardwebhooks.com): the receiver computes the same HMAC
    of id, time and body. The signed time prevents later replays; the id is the same at every attempt, so
    that the receiver recognizes repeated deliveries.
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
    """Return who sends, and the private networks that may be reached."""
    return ClientSettings(
        contact=config.fetch.contact, allow_private=config.fetch.allow_private
    )


class Transmitter:
    """Sends deliveries to all kinds of recipients. Thread-safe."""

    def __init__(
        self,
        client: ClientSettings,
        settings: PublishSettings,
        all_tuning: Tuning,
        now: Clock,
        reader: StoryReader | None = None,
    ) -> None:
        """`reader`: for the stories of digests."""
        tuning = all_tuning.section("webhooks", WebhookTuning)
        seconds = net_tuning(all_tuning).fetch_deadline_seconds
        self._settings = settings
        self._reader = reader
        self._poster = WebhookPoster(
            client,
            all_tuning,
            deadline_seconds=seconds,
            response_cap_bytes=tuning.body_cap_bytes,
            now=now,
        )
        self._apprise = AppriseRunner(client.allow_private, seconds)
        self._mails = MailPoster(client, deadline_seconds=seconds)

    def send(
        self, recipient: Recipient, id_: str, body: bytes, now: dt.datetime
    ) -> PostResult:
        """Send the delivery with this id and body. Errors are in the result."""
        match recipient:
            case Webhook():
                return self._post(recipient, id_, body, now)
            case Notification():
                return self._apprise.send(recipient.url, *notification_text(body))
            case DigestReader() if recipient.mail is not None:
                mail = self._mail(recipient, recipient.mail.sender, id_, body, now)
                return (
                    PostResult(status=204)
                    if mail is None
                    else self._mails.send(recipient.mail, mail)
                )
        raise AssertionError(recipient)

    def close(self) -> None:
        """Stop: what is being sent ends at once, nothing later is sent."""
        for part in (self._poster, self._apprise, self._mails):
            part.close()

    def _post(
        self, webhook: Webhook, id_: str, body: bytes, now: dt.datetime
    ) -> PostResult:
        own = {name.lower(): text for name, text in webhook.headers}
        signature = signed_headers(webhook.key, id_, int(now.timestamp()), body)
        return self._poster.post(webhook.url, body, _JSON | own | signature)

    def _mail(
        self, reader: DigestReader, sender: str, id_: str, body: bytes, now: dt.datetime
    ) -> EmailMessage | None:
        """Return the mail of a delivery; None if all its stories were forgotten."""
        mail, settings = EmailMessage(policy=SMTP), self._settings
        if msgspec.json.decode(body).get("type") == "test":
            subject, date = "Test", now
            mail.set_content("This is a test of aggregator.\n")
        else:
            assert self._reader is not None
            span = msgspec.json.decode(body, type=DigestSpan)
            digest = self._reader.digest(
                span, settings.digest_filter(span.until, self._reader.mutes())
            )
            if not digest.stories:
                return None
            subject, date = (
                f"{one_line(settings.title)}: {digest_title(digest, settings)}",
                digest.until,
            )
            mail.set_content(digest_text(digest, settings))
            page = f"<!doctype html><html><body>{digest_html(digest, settings)}</body></html>"
            mail.add_alternative(page, subtype="html")
        mail["From"] = sender
        mail["To"] = reader.address
        mail["Subject"] = subject
        mail["Date"] = format_datetime(date)
        mail["Message-ID"] = f"<{id_}@{sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        return mail
