"""The lists that clients show: labels, subscriptions, and how much is unread."""

from collections import Counter
from typing import Any

from starlette.responses import Response

from aggregator.intake.manage.feed_lists import export_opml
from aggregator.model.read_model import SourceView
from aggregator.store.read.marks.story_streams import StoryStream
from aggregator.web.reader_api.fields import Fields
from aggregator.web.reader_api.ids import (
    LABEL,
    READING_LIST,
    STARRED,
    microseconds,
    subscription_id,
)
from aggregator.web.reader_api.session import Session
from aggregator.web.security.visit import may_edit

MOST_COUNTED = 50_000  # (limit) stories; more would keep a client waiting for seconds

Json = dict[str, Any]


def user_info(session: Session, _fields: Fields) -> Json:
    """Return the number and the name of the reader."""
    number = str(session.reader.reader_no)
    return {
        "userId": number,
        "userName": session.reader.name,
        "userProfileId": number,
        "userEmail": "",
    }


def tags(session: Session, _fields: Fields) -> Json:
    """Return the starred state, the folders, and as tags the saved queries and the reader's labels of stories."""
    labels = session.shown_labels(session.marks.labels(session.reader))
    queries = [LABEL + query.key for query in session.queries]
    tags = [{"id": STARRED}]
    tags += [{"id": LABEL + name, "type": "folder"} for name in session.folders]
    tags += [{"id": label, "type": "tag"} for label in (*queries, *labels)]
    return {"tags": tags}


def subscriptions(session: Session, _fields: Fields) -> Json:
    """Return the subscriptions: the sources, then the subscription of all other stories."""
    base = session.site.settings.base_url
    rest = SourceView(id="", name=session.site.settings.title)
    subscriptions = []
    for source in (*session.sources(), rest):
        categories = []
        if folder := source.folder:
            categories.append({"id": LABEL + folder, "label": folder, "type": "folder"})
        subscriptions.append(
            {
                "id": subscription_id(source.id),
                "title": source.name,
                "categories": categories,
                "url": source.url or f"{base}/feeds/stories.rss",
                "htmlUrl": source.site_url or f"{base}/",
                "iconUrl": "",
            }
        )
    return {"subscriptions": subscriptions}


def export(session: Session, _fields: Fields) -> Response:
    """Return the feeds as OPML, with the addresses of `subscriptions`."""
    config, database, _ = session.site.sources
    document = export_opml(
        config,
        database,
        lambda source: session.address(source.id, source.polled_url),
        hides_keys=not may_edit(session.request),
    )
    return Response(document, media_type="text/x-opml")


def item_count(session: Session, fields: Fields) -> str:
    """Return the number of items of a stream, counted up to about MOST_COUNTED."""
    stream = session.without_muted(session.stream(fields.get("s", READING_LIST)))
    return str(len(session.items(stream, MOST_COUNTED)))


def unread_counts(session: Session, _fields: Fields) -> Json:
    """Return how many stories of each stream are unread, among about the newest MOST_COUNTED unread stories."""
    rows = session.items(
        session.without_muted(StoryStream(is_read=False)), MOST_COUNTED
    )
    counts: Counter[str] = Counter()
    newest: dict[str, int] = {}
    streams = session.streams_of(rows)
    for row in rows:
        for stream in (READING_LIST, *streams[row.story]):
            counts[stream] += 1
            newest.setdefault(stream, microseconds(row.updated))
    unread_counts = [
        {"id": stream, "count": count, "newestItemTimestampUsec": str(newest[stream])}
        for stream, count in counts.items()
    ]
    return {"max": MOST_COUNTED, "unreadcounts": unread_counts}
