"""How much is taken of what strangers and files give: the section `sources` of the rule book."""

import msgspec

from aggregator.config.tuning import RuleBook


class SourceRules(msgspec.Struct, frozen=True, kw_only=True):
    """The constants of this room; units and origins stand in config/tuning.yaml."""

    max_entries: int
    max_entry_chars: int
    max_article_bytes: int
    max_feed_bytes: int
    max_folder_files: int
    settle_seconds: float
    look_seconds: float
    max_enclosures: int
    max_categories: int
    max_key_chars: int
    max_outlines: int
    discovery_tries: int
    first_asked_a_second: float
    run_chars: int


def source_rules(book: RuleBook) -> SourceRules:
    """The rules of this room out of `book`."""
    return book.section("sources", SourceRules)
