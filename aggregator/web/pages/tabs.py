"""The tabs above the front page: folders, topics, saved queries, and how many reports a story has."""

from collections.abc import Iterable, Mapping
from urllib.parse import urlencode

import msgspec

from aggregator.config.story_query import SavedQuery

DEPTHS = (2, 3)  # reports: what two newsrooms found worth telling, and three
SECTIONS_SHOWN = 12  # folders and topics; the form "Filter" has all


class Tab(msgspec.Struct, frozen=True):
    """A link to a list."""

    label: str
    href: str
    is_current: bool = False


def _href(parameters: Mapping[str, str], **changed: str) -> str:
    kept = {name: value for name, value in {**parameters, **changed}.items() if value}
    return f"/?{urlencode(kept)}" if kept else "/"


def section_tabs(
    parameters: Mapping[str, str],
    folders: Iterable[str],
    topics: Iterable[str],
    queries: Iterable[SavedQuery],
) -> list[Tab]:
    """Return "All", folders, topics and saved queries; each keeps the other filters."""
    lists = [("folder", folder, folder) for folder in folders]
    lists += [("topic", topic, topic) for topic in topics]
    del lists[SECTIONS_SHOWN:]
    lists += [("saved", query.key, query.label) for query in queries]
    if not lists:
        return []
    every = dict.fromkeys(("folder", "topic", "saved"), "")
    is_every = not any(map(parameters.get, every))
    tabs = [Tab("All", _href(parameters, **every), is_every)]
    for name, value, label in lists:
        tabs.append(
            Tab(
                label,
                _href(parameters, **every | {name: value}),
                is_current=parameters.get(name) == value,
            )
        )
    return tabs


def depth_tabs(parameters: Mapping[str, str], chosen: int) -> list[Tab]:
    """Return "All stories", "2+ reports" and "3+ reports".

    `chosen` is the least number of reports in force, which a saved query may have.
    """
    every = "1" if "saved" in parameters else ""
    tabs = [Tab("All stories", _href(parameters, min_reports=every), chosen == 1)]
    for least in DEPTHS:
        href = _href(parameters, min_reports=str(least))
        tabs.append(Tab(f"{least}+ reports", href, chosen == least))
    return tabs
