"""The process that sends one notification with Apprise: `python -m aggregator.deliver.apprise_process`.

Apprise opens connections itself, to addresses that name resolution, redirects and its plugins choose. Because it has a
process of its own, it can be ended in time. An audit hook of Python refuses every connection to an address that the
SSRF guard would refuse, at the moment of connecting; the hook does not see connections that a library in C opens
without Python.
"""

import contextlib
import logging
import re
import resource
import signal
import sys
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from aggregator.config.hosts import ip_address_of
from aggregator.model.structs import FrozenStruct
from aggregator.sources.fetch.connections import public_addresses
from aggregator.text.lines import word_list

_MEMORY_BYTES = 1 << 30  # address space; Apprise reads a response as a whole
# The HTTP status in a warning of Apprise, such as "error=404"
_STATUS = re.compile(r"\berror\s?=\s?([1-5][0-9]{2})\b")
# Audit events of starting another process
_PROCESSES = word_list("""
    subprocess.Popen os.system os.exec os.posix_spawn os.fork os.forkpty pty.spawn
""")
# Audit events of sockets, with the address as the second argument
_CONNECTIONS = word_list("socket.connect socket.sendto socket.sendmsg socket.bind")


class Notice(NamedTuple):
    """The title and the text of a notification or mail."""

    title: str
    text: str
    is_html: bool = False


class NotificationJob(FrozenStruct):
    """The notification to send, and the private networks that may be reached."""

    url: str
    notice: Notice
    allow_private: tuple[str, ...]
    deadline_seconds: int


class _Problems(logging.Handler):
    """Keeps only the HTTP status in Apprise's warnings, because their text may contain the address."""

    status = ""

    def emit(self, record: logging.LogRecord) -> None:
        if match := _STATUS.search(record.getMessage()):
            self.status = match[1]


class _Guard:
    """An audit hook that refuses connections to private addresses, and the start of other processes."""

    def __init__(self, exceptions: Sequence[public_addresses.Network]) -> None:
        self._exceptions = exceptions
        self.refused = ""

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        """Raise PermissionError if `event` is not allowed."""
        if event in _PROCESSES:
            self._refuse("another program")
        elif event in _CONNECTIONS and len(arguments) > 1 and arguments[1] is not None:
            place = arguments[1]
            host = (
                str(place[0])
                if isinstance(place, tuple)
                else "a socket of this machine"
            )
            address = ip_address_of(host)
            if address is None or not public_addresses.is_permitted(
                address, self._exceptions
            ):
                self._refuse(host)

    def _refuse(self, what: str) -> None:
        self.refused = self.refused or what
        raise PermissionError(what)


def send(job: NotificationJob) -> str:
    """Send one notification. Return why it was not sent, without naming the address; "" if it was sent."""
    import apprise

    # Accept the certificate authorities of the system besides those of certifi.
    with contextlib.suppress(ImportError):
        import truststore

        truststore.inject_into_ssl()
    problems = _Problems()
    logger = logging.getLogger("apprise")
    logger.addHandler(problems)
    logger.propagate = False
    guard = _Guard(public_addresses.networks_of(job.allow_private))
    target = apprise.Apprise.instantiate(job.url, suppress_exceptions=True)
    if target is None:
        return "Apprise does not know this address"
    sys.addaudithook(guard)
    title, text, is_html = job.notice
    form = apprise.NotifyFormat.HTML if is_html else apprise.NotifyFormat.TEXT
    if target.notify(title=title, body=text, body_format=form):
        return ""
    if guard.refused:
        return (
            f"{guard.refused} is not on the public internet; "
            "if it is yours, name its network under fetch.allow_private"
        )
    if problems.status:
        return f"http {problems.status}"
    return "the service could not be reached, or refused it"


def main() -> None:
    """Read a job from standard input and write the reply to standard output."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=NotificationJob)
    # The alarm ends this process even if the daemon was killed.
    signal.alarm(job.deadline_seconds)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.stdout.buffer.write(msgspec.json.encode(send(job)))


if __name__ == "__main__":
    main()
