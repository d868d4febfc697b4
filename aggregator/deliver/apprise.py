"""Notifications by Apprise: their texts, and the process of its own that sends each."""

import os
import re
import subprocess
import sys
import threading

import msgspec

from aggregator.config.messages import story_numbers
from aggregator.deliver.apprise_process import NotificationJob, NotificationReply
from aggregator.model.errors import TooManyFilesError
from aggregator.publish.sanitise import one_line
from aggregator.sources.fetch.posting import PostResult

# The process may take this long to start and load Apprise on a busy machine (0.5 s on a quiet machine).
_START_SECONDS = 15.0
_REPLY_CAP_BYTES = 10_000
_LISTED_CHARS = 100  # a headline in a list is cut here
_MODULE = "aggregator.deliver.apprise_process"
# "@everyone" in a title would call all people of a chat
_MENTION = re.compile(r"@(?=\S)")


def notification_text(body: bytes) -> tuple[str, str]:
    """Return title and text of a notification from the body of its delivery."""
    delivery = msgspec.json.decode(body)
    if delivery["type"] == "test":
        return "Test", "This is a test of aggregator."
    if delivery["type"] == "several":
        number = delivery["number"]
        stories = delivery["stories"]
        lines = []
        for story in stories:
            title = _plain(story["title"]) or "Untitled"
            if len(title) > _LISTED_CHARS:
                title = title[: _LISTED_CHARS - 1].rstrip() + "…"
            lines.append(f"{title}\n{story['url']}")
        if left := number - len(stories):
            site = stories[0]["url"].rpartition("/stories/")[0]
            lines.append(f"and {left:,} more: {site}/")
        unit = "stories" if delivery["each"] == "story" else "reports"
        return f"{number:,} {unit}", "\n".join(lines)
    data = delivery["data"]
    story = data["story"]
    article = data["change"]["article"]
    counts = ("report_count", "outlet_count", "unknown_outlet_count", "article_count")
    lines = [", ".join(story_numbers(*(story[name] for name in counts)))]
    if article is not None:
        names = [_plain(text) for text in (article["outlet"], article["title"]) if text]
        lines += [": ".join(names), article["url"]]
    lines.append(f"Story: {data['url']}")
    title = _plain(story["title"]) or "Untitled"
    return title, "\n".join(line for line in lines if line)


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
        self._stopped = threading.Event()

    def send(
        self, url: str, title: str, text: str, *, is_html: bool = False
    ) -> PostResult:
        """Send a notification to an address of Apprise. Errors are returned in the result.

        Raise TooManyFilesError if this process cannot open the pipes.
        """
        # Behind a proxy the guard would not see where a connection leads.
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.lower().endswith("_proxy")
        }
        try:
            with self._lock:
                if self._stopped.is_set():
                    return PostResult(status=None, problem="stopped", is_stopped=True)
                process = subprocess.Popen(  # noqa: S603 - our own interpreter and module; the job comes by stdin
                    [sys.executable, "-P", "-m", _MODULE],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=environment,
                    # Ctrl-C at the terminal goes to the daemon only
                    start_new_session=True,
                )
                self._running.add(process)
        except OSError as error:  # no files, processes or memory left
            if TooManyFilesError.is_behind(error):
                raise TooManyFilesError from error
            return PostResult(
                status=None, problem=f"Apprise cannot be started: {error.strerror}"
            )
        job = NotificationJob(
            url=url,
            title=title,
            text=text,
            is_html=is_html,
            allow_private=self._allow_private,
            deadline_seconds=int(self._seconds) + 1,
        )
        problem = ""
        try:
            said, _ = process.communicate(
                msgspec.json.encode(job), timeout=self._seconds
            )
            problem = msgspec.json.decode(
                said[:_REPLY_CAP_BYTES], type=NotificationReply
            ).problem
        except subprocess.TimeoutExpired:
            problem = f"not sent within {self._seconds:.0f} s"
        except (OSError, msgspec.DecodeError):
            problem = "Apprise ended without an answer"
        finally:
            process.kill()
            process.communicate()
            with self._lock:
                self._running.discard(process)
        return PostResult(
            status=None if problem else 200,
            problem=problem,
            is_stopped=self._stopped.is_set() and problem != "",
        )

    def close(self) -> None:
        """Stop: running processes are killed, later ones are not started."""
        with self._lock:
            self._stopped.set()
            for process in self._running:
                process.kill()
