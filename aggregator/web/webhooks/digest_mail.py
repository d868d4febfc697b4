"""The digest as a mail: text and HTML, with the same Message-ID at every attempt."""

import datetime as dt
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from aggregator.model.read_model import Digest
from aggregator.web.feeds.digest import digest_html, digest_text, digest_title
from aggregator.web.sanitise import one_line
from aggregator.web.settings import PublishSettings


def digest_mail(digest: Digest, settings: PublishSettings, sender: str, to: str, id_: str) -> EmailMessage:
    """Return the mail of a digest. `id_` is the id of its delivery."""
    subject = f"{one_line(settings.title)}: {digest_title(digest, settings)}"
    mail = _mail(sender, to, id_, subject, digest.until)
    mail.set_content(digest_text(digest, settings))
    page = f"<!doctype html><html><body>{digest_html(digest, settings)}</body></html>"
    mail.add_alternative(page, subtype="html")
    return mail


def trial_mail(sender: str, to: str, id_: str, now: dt.datetime) -> EmailMessage:
    """Return the mail that `aggregator notify test` sends."""
    mail = _mail(sender, to, id_, "Test", now)
    mail.set_content("This is a test of aggregator.\n")
    return mail


def _mail(sender: str, to: str, id_: str, subject: str, date: dt.datetime) -> EmailMessage:
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = to
    mail["Subject"] = subject
    mail["Date"] = format_datetime(date)
    mail["Message-ID"] = f"<{id_}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    return mail
