"""The links above a list of stories: tabs by folder, topic and saved query, and by the number of reports."""

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urlencode

import msgspec

from aggregator.config.settings import SavedQuery
from aggregator.model.read_model import FrontPageStory

DEPTHS = (2, 3)  # reports: what two newsrooms found worth telling, and three
COUNTED_TO = 99  # above it, a count is "99+": the ranked stories are not all stories
SECTIONS_SHOWN = 12  # folders and topics; the form "Filter" has all


class Tab(msgspec.Struct, frozen=True):
    """A link to a list; `count` is the number of its stories, "" if it is not shown."""

    label: str
    href: str
    is_current: bool = False
    count: str = ""


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
    found = [("folder", one, one) for one in folders] + [("topic", one, one) for one in topics]
    found = found[:SECTIONS_SHOWN] + [("saved", one.name, one.title or one.name) for one in queries]
    none = {"folder": "", "topic": "", "saved": ""}
    tabs = [
        Tab(label, _href(parameters, **{**none, name: value}), parameters.get(name) == value)
        for name, value, label in found
    ]
    is_all = not any(parameters.get(name) for name in none)
    return [Tab("All", _href(parameters, **none), is_all), *tabs] if tabs else []


def depth_tabs(parameters: Mapping[str, str], chosen: int, counts: Sequence[str]) -> list[Tab]:
    """Return "All stories", "2+ reports" and "3+ reports"; `counts` are those of the last two.

    `chosen` is the least number of reports in force, which a saved query may have.
    """
    every = "1" if "saved" in parameters else ""
    tabs = [
        Tab(f"{least}+ reports", _href(parameters, min_reports=str(least)), chosen == least, count)
        for least, count in zip(DEPTHS, counts, strict=True)
    ]
    return [Tab("All stories", _href(parameters, min_reports=every), chosen == 1), *tabs]


def depth_counts(ranking: Iterable[FrontPageStory]) -> tuple[str, ...]:
    """Return how many of the ranked stories have so many reports."""
    reports = [one.report_count for one in ranking]
    found = (sum(count >= least for count in reports) for least in DEPTHS)
    return tuple(f"{COUNTED_TO}+" if count > COUNTED_TO else str(count) for count in found)
