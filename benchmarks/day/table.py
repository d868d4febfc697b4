"""The table of `python -m benchmarks day`, with a line for each figure and a column for each program."""

import statistics
from collections.abc import Callable
from typing import Any

# The figures of one run by name. A list of titles is printed as its length.
Figures = dict[str, Any]

SCORES = [  # the name of a figure, its words, and digits after the point
    ("events", "events of several outlets", 0),
    ("whole", "... found whole", 0),
    ("one_place", "... in one storyline", 0),
    ("storylines", "storylines of two or more stories", 0),
    ("largest_storyline", "stories of the largest", 0),
    ("stories", "stories of several outlets", 0),
    ("pure", "... pure", 0),
    ("twice", "events twice on page one", 0),
    ("pairs", "pairs of one event (arguable ones left out)", 0),
    ("pairs_found", "... found", 0),
    ("pairs_wrong", "pairs of different events in one story", 0),
    ("precision", "precision of pairs", 3),
    ("recall", "recall of pairs", 3),
    ("f1", "F1 of pairs", 3),
    ("arguable", "arguable pairs of one event", 0),
    ("arguable_found", "... found", 0),
    ("articles", "articles", 0),
    ("labelled", "... with a label", 0),
    ("all_stories", "stories", 0),
    ("page_stories", "places on page one", 0),
]
# Figures of the first reading: the name of each, its words, and the function that finds the worst value
ORDERS = [
    ("whole", "events found whole", min),
    ("one_place", "events in one storyline", min),
    ("pure", "stories of several outlets that are pure", min),
    ("impure", "... that are not", max),
    ("f1", "F1 of pairs", min),
    ("pairs_wrong", "pairs of different events in one story", max),
    ("twice", "events twice on page one", max),
]
COSTS = [  # as in SCORES
    ("start_cpu_seconds", "CPU of the start, s", 2),
    ("first_entries", "entries of the first reading", 0),
    ("first_cpu_ms_an_entry", "CPU an entry, ms", 1),
    ("first_again_cpu_ms_an_entry", "... of which to decide again", 1),
    ("first_kb_an_entry", "written an entry, KB", 0),
    ("first_article_seconds", "first article after, s", 1),
    ("first_seconds", "first reading, s", 0),
    ("round_polls", "polls of the rounds", 0),
    ("round_changed", "... changed", 0),
    ("round_shown", "new entries served", 0),
    ("round_new", "... new articles", 0),
    ("round_seconds", "the rounds, s", 0),
    ("cpu_ms_a_new_entry", "CPU a new entry, ms", 1),
    ("cpu_ms_a_changed_poll", "CPU a changed poll, ms", 1),
    ("feedparser_ms", "feedparser on the same bytes, ms", 1),
    ("share_of_feedparser", "CPU of the rounds / feedparser", 2),
    ("kb_a_new_entry", "written a new entry, KB", 0),
    ("page_seconds", "from poll to page, s: half", 1),
    ("page_seconds_most", "... the longest", 1),
    ("page_delays", "... entries timed", 0),
    ("new_stories", "new stories in the rounds", 0),
    ("bumped_new", "known stories bumped with a new entry", 0),
    ("round_edits", "titles edited", 0),
    ("bumped_edited", "stories bumped with an edited entry only", 0),
    ("bumped_for_nothing", "stories bumped for nothing", 0),
    ("first_most_mb", "PSS at most in the first reading, MB", 0),
    ("most_mb", "PSS at most, MB", 0),
    ("cpu_ms_a_stamped_poll", "CPU a poll with only a new comment, ms", 1),
    ("peer_first_ms_an_entry", "lemon24/reader: CPU an entry, ms", 1),
    ("first_to_peer", "... ours / its", 2),
    ("peer_ms_a_changed_poll", "lemon24/reader: CPU a changed poll, ms", 1),
    ("changed_to_peer", "... ours / its", 2),
    ("peer_ms_a_stamped_poll", "lemon24/reader: a poll with a new comment, ms", 1),
    ("peer_most_mb", "lemon24/reader: memory at most, MB", 0),
    ("idle_minutes", "idle minutes", 0),
    ("idle_mb", "PSS after them, MB", 0),
    ("idle_cpu_ms_a_second", "idle CPU, ms a second", 2),
    ("idle_wake_ups_a_second", "idle wake-ups a second", 1),
    ("idle_kb_written", "written while idle, KB", 0),
]
NAMES = [
    ("not_whole", "events not whole"),
    ("not_one_place", "events in several storylines"),
    ("impure", "stories not pure"),
    ("twice", "events twice on page one"),
]
_TIMES = [("first", "after the first reading"), ("last", "after the last round")]
_WORDS = 52  # characters of the first column
_CELL = 15


def print_table(names: list[str], runs: list[list[Figures]]) -> None:
    """Print all figures of the first run of each program, and the mean and worst scores of all runs.

    If there are two programs, costs have the ratio of the first to the second.
    """
    firsts = [figures[0] for figures in runs]
    _print_head("", names)
    for when, title in _TIMES:
        print(title)
        for key, words, digits in SCORES:
            _print_figures(
                words, [figures[f"{when}_{key}"] for figures in firsts], digits
            )
    print("costs")
    for key, words, digits in COSTS:
        _print_figures(
            words, [figures.get(key) for figures in firsts], digits, with_ratio=True
        )
    if len(runs[0]) > 1:
        _print_head(f"{len(runs[0])} orders of the first reading: mean, worst", names)
        for key, words, worst in ORDERS:
            _print_orders(words, f"first_{key}", runs, worst)
    for key, words in NAMES:
        _print_titles(words, key, names, firsts)


def _print_head(words: str, names: list[str]) -> None:
    print(
        words.ljust(_WORDS) + "".join(name[-_CELL + 1 :].rjust(_CELL) for name in names)
    )


def _print_figures(
    words: str, values: list[Any], digits: int, *, with_ratio: bool = False
) -> None:
    line = f"  {words}".ljust(_WORDS)
    for value in values:
        line += (
            "-".rjust(_CELL)
            if value is None
            else f"{_number(value):{_CELL},.{digits}f}"
        )
    if with_ratio and len(values) == 2 and None not in values and values[1]:
        line += f"{values[0] / values[1]:10.2f}"
    print(line)


def _print_orders(
    words: str,
    key: str,
    runs: list[list[Figures]],
    worst: Callable[[list[float]], float],
) -> None:
    line = f"  {words}".ljust(_WORDS)
    for figures in runs:
        values = [_number(figure[key]) for figure in figures]
        line += f"{statistics.mean(values):.2f}, {worst(values):.2f}".rjust(_CELL)
    print(line)


def _print_titles(
    words: str, key: str, names: list[str], firsts: list[Figures]
) -> None:
    """Print the titles that a figure lists, and for each program when: after the first reading, the last round."""
    titles: set[str] = set()
    for figures in firsts:
        titles.update(figures[f"first_{key}"], figures[f"last_{key}"])
    _print_head(words, names)
    for title in sorted(titles):
        line = f"  {title[: _WORDS - 3]}".ljust(_WORDS)
        for figures in firsts:
            times = [when for when, _ in _TIMES if title in figures[f"{when}_{key}"]]
            line += ", ".join(times).rjust(_CELL)
        print(line)


def _number(value: Any) -> float:
    return len(value) if isinstance(value, list) else value
