"""Mutes, which keep new entries from becoming articles; `mute:` of config.yaml sets them for all or single sources.

A muted entry is stored and refused, with a reason that names the mute. When the configuration no longer has
that mute, the entry is queued again (`rejected.unmute`).
"""

from collections.abc import Iterator, Mapping
from itertools import chain

from aggregator.extract.outlets import outlet_of
from aggregator.model.entry import Entry
from aggregator.model.errors import ConfigError, UsageError
from aggregator.model.prepared import CleanArticle
from aggregator.model.read_model import Mute
from aggregator.model.structs import FrozenStruct
from aggregator.store.intake.source_rows import Source
from aggregator.store.search.query import muted_term
from aggregator.store.search.searchable_text import SearchableText
from aggregator.stories.lexicon import subject_key

NOUNS = {
    "words": "word",
    "outlets": "outlet",
    "folders": "folder",
    "categories": "category",
    "kinds": "kind",
}


class Mutes(FrozenStruct):
    """The mutes of a configuration: for all sources, and by the ids of single sources."""

    everywhere: tuple[Mute, ...] = ()
    of_sources: Mapping[str, tuple[Mute, ...]] = {}

    def __post_init__(self) -> None:
        """Raise ConfigError if a phrase has too many words."""
        for kind, muted in chain(self.everywhere, *self.of_sources.values()):
            try:
                if kind == "words":
                    muted_term(muted)
            except UsageError as error:
                raise ConfigError(f"mute: words: {muted[:40]!r}: {error}") from error

    @property
    def needs_sources(self) -> bool:
        """Whether `why` needs the source of an entry."""
        return bool(self.of_sources) or any(
            kind == "folders" for kind, _ in self.everywhere
        )

    def holds(self, source_id: str | None, reason: str) -> bool:
        """Return whether this reason, which `why` gave for an entry of a source, still exists."""
        return any(given == reason for *_, given in self._mutes(source_id))

    def why(
        self, entry: Entry, source: Source | None, clean: CleanArticle | None = None
    ) -> str | None:
        """Return why an entry is muted, or None.

        `clean` is None before the entry is prepared; then words are searched in its title only. `source` is None
        for an entry without a source, such as a push.
        """
        mutes = tuple(self._mutes(source.id if source else None))
        if not mutes:
            return None
        text = SearchableText(entry.title)
        if clean:
            text = SearchableText(clean.title, clean.lead)
        names: dict[str, list[str | None]] = {"categories": [*entry.categories]}
        outlet = outlet_of(entry)
        if outlet:
            names["outlets"] = [outlet.key, outlet.name]
        elif clean:
            names["outlets"] = [clean.outlet]
        if source:
            names["folders"] = [source.folder]
        if clean:
            names["categories"] += clean.categories
            names["kinds"] = [clean.kind]
        keys = {
            kind: set(map(subject_key, filter(None, values)))
            for kind, values in names.items()
        }
        for kind, muted, reason in mutes:
            if kind == "words":
                term = muted_term(muted)
                is_muted = term is not None and text.holds_term(term)
            else:
                is_muted = subject_key(muted) in keys.get(kind, ())
            if is_muted:
                return reason
        return None

    def _mutes(self, source_id: str | None) -> Iterator[tuple[str, str, str]]:
        for kind, muted in self.everywhere:
            yield kind, muted, f"muted: {NOUNS[kind]} {muted!r}"
        for kind, muted in self.of_sources.get(source_id or "", ()):
            yield kind, muted, f"muted for this source: {NOUNS[kind]} {muted!r}"
