"""One request of a reader, and the streams as this reader has them."""

from collections.abc import Collection, Iterable, Sequence

from msgspec.structs import replace
from starlette.exceptions import HTTPException
from starlette.requests import Request

from aggregator.config.messages import redact_address
from aggregator.config.story_query import SavedQuery, StoryFilter
from aggregator.model.errors import UsageError
from aggregator.model.read_model import SourceView
from aggregator.publish.excerpts.single_articles import hide_source_secrets
from aggregator.store.read.marks.mark_rows import Reader, ReaderItem
from aggregator.store.read.marks.read_marks import label_name
from aggregator.store.read.marks.story_streams import StoryStream
from aggregator.web.dependencies import ID, Site
from aggregator.web.reader_api.ids import (
    FEED,
    LABEL,
    READ,
    READING_LIST,
    STARRED,
    STORIES,
    of_any_user,
    subscription_id,
)
from aggregator.web.security.visit import may_edit

_STATES = {
    READING_LIST: StoryStream(),
    READ: StoryStream(is_read=True),
    STARRED: StoryStream(is_starred=True),
    STORIES: StoryStream(founded_by=""),
}


class Session:
    """One request of a reader: who asks, what this client may see, and the streams of the reader."""

    def __init__(self, site: Site, reader: Reader, request: Request) -> None:
        self.site = site
        self.marks = site.marks
        self.reader = reader
        self.request = request
        self.access = site.access(request)
        self.folders = site.reader.folders()
        # A saved query with the name of a folder is not shown as a label.
        self.queries = [
            query for query in site.settings.queries if query.key not in self.folders
        ]
        self._mutes = site.mutes(request)

    @property
    def seconds(self) -> int:
        """The present time in seconds since 1970."""
        return int(self.site.clock().timestamp())

    def stream(self, name: str) -> StoryStream:
        """Return the stream with this id. Raises HTTPException (404)."""
        name = of_any_user(name)
        if name in _STATES:
            return _STATES[name]
        label = name.removeprefix(LABEL)
        if label == name:
            for source in self.sources([name.removeprefix(FEED)]):
                if name == subscription_id(source.id):
                    filters = StoryFilter.model_construct(folder=source.folder or "")
                    return StoryStream(filters=filters, founded_by=source.id)
            raise HTTPException(404, "there is no such stream")
        if label in self.folders:
            return StoryStream(filters=StoryFilter.model_construct(folder=label))
        for query in self.queries:
            if query.key == label:
                return StoryStream(filters=self._filter(query))
        return StoryStream(label=self.known_label(label, "there is no such stream"))

    def known_label(self, label: str, problem: str) -> str:
        """Return `label` if the reader has given it to a story. Raises HTTPException (404) with `problem` otherwise."""
        if label not in self.marks.labels(self.reader):
            raise HTTPException(404, problem)
        return label

    def without_muted(self, stream: StoryStream) -> StoryStream:
        """Return the stream without the stories that the owner muted."""
        return replace(
            stream,
            filters=stream.filters.model_copy(update={"mutes": self._mutes}),
        )

    def items(self, stream: StoryStream, most: int) -> list[ReaderItem]:
        """Return the first stories of a stream, the newest bump first: `most`, or a few more.

        The number may be higher because whole pages are read.
        """
        found: list[ReaderItem] = []
        while len(found) < most:
            page, after = self.marks.items(self.reader, stream, most)
            found += page
            if after is None:
                break
            stream = replace(stream, after=after)
        return found

    def sources(self, ids: Collection[str] | None = None) -> list[SourceView]:
        """Return the sources with these ids, or all sources for None, as this client may see them."""
        if ids is not None:
            ids = [id_ for id_ in ids if ID.fullmatch(id_)]
        return [
            replace(
                hide_source_secrets(source, self.access),
                url=self.address(source.id, source.url or ""),
            )
            for source in self.marks.sources(ids)
        ]

    def address(self, source_id: str, url: str) -> str:
        """Return the address of a source, without secrets for clients that may not edit.

        The id of the source is appended to an address that lost its secrets, because no two addresses may be equal.
        """
        shown = url if may_edit(self.request) else redact_address(url)
        return shown if shown == url else f"{shown}#{source_id}"

    def shown_labels(self, labels: Iterable[str]) -> list[str]:
        """Return the ids of the streams of labels, without labels that have the name of a folder or saved query."""
        hidden = {*self.folders, *(query.key for query in self.queries)}
        return [LABEL + label for label in sorted(labels) if label not in hidden]

    def new_label(self, tag: str) -> str:
        """Return the name of the label in `tag`. Raises UsageError if the reader may not give it to stories."""
        name = label_name(of_any_user(tag).removeprefix(LABEL))
        if name in self.folders:
            raise UsageError(
                f'"{name}" is a folder of sources; choose another name for a label'
            )
        self.refuse_query(name, "choose another name")
        return name

    def refuse_query(self, name: str, advice: str) -> None:
        """Raise UsageError for the name of a saved query."""
        if any(query.key == name for query in self.queries):
            raise UsageError(f'"{name}" is a saved query; {advice}')

    def streams_of(self, rows: Sequence[ReaderItem]) -> dict[str, list[str]]:
        """Return the subscription of each story, then its labels: folders, saved queries and the reader's own."""
        ids = {row.story for row in rows}
        founders, folders = self.marks.folders(ids)
        streams = {}
        for id_ in ids:
            labels = [LABEL + folder for folder in sorted(folders[id_])]
            streams[id_] = [subscription_id(founders[id_]), *labels]
        if ids:
            for query in self.queries:
                for id_ in self.marks.matching(self._filter(query), ids):
                    streams[id_].append(LABEL + query.key)
        for row in rows:
            if row.labels:
                streams[row.story] += self.shown_labels(row.labels)
        return streams

    def _filter(self, query: SavedQuery) -> StoryFilter:
        return query.story_filter(self.site.clock(), 1)
