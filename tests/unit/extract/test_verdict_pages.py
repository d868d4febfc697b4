"""Verdicts on pages of every kind, in many languages: how many are right, and what is never refused.

The pages of tests/data/verdict_pages.jsonl are invented. `dev` was in view when the rules of verdicts were
chosen; `check` was written before and looked at only after; `later` was written after them, and run once.
"""

import gzip
import json
import os
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from aggregator.config.tuning import Tuning
from aggregator.extract.clean_article import clean_entry
from aggregator.intake.jobs import broken_article
from aggregator.model.entry import Entry
from aggregator.model.errors import WorkError
from aggregator.model.prepared import ACCEPTED_VERDICTS, CleanArticle
from tests.conftest import REPOSITORY
from tests.support.tables import each_row, numbered

DATA = Path(os.environ.get("AGGREGATOR_DATA", REPOSITORY.parent / "shared" / "data"))
SEEN = datetime.fromisoformat("2030-01-01T00:00Z")
ALL_TUNING = Tuning()


class Sample(NamedTuple):
    """One page with the verdicts that are right for it."""

    set: str
    name: str
    right: list[str]
    language: str
    page: str


LINES = (
    (REPOSITORY / "tests" / "data" / "verdict_pages.jsonl")
    .read_text("utf-8")
    .splitlines()
)
SAMPLES = [Sample(**json.loads(line)) for line in LINES]
EARLIER = [one for one in SAMPLES if one.set != "later"]


def framed(title: str, body: str, head: str = "") -> bytes:
    """A page inside the site's own frame: masthead, menu, footer."""
    menu = "".join(
        f"<li><a href=/{word}>{word}</a></li>"
        for word in ("Home", "Politics", "Podcasts", "Weather")
    )
    top = f"<header><a href=/>Lantern</a><nav><ul>{menu}</ul></nav></header>"
    end = "<footer><ul><li><a href=/terms>Terms of use</a></li><li>© 2026 Lantern Media</li></ul></footer>"
    head = f"<head><meta charset=utf-8><title>{title} | Lantern</title>{head}</head>"
    return f"<!doctype html><html lang=en>{head}<body>{top}<main>{body}</main>{end}</body></html>".encode()


def article(title: str, *lines: str) -> str:
    """A headline and its text, as most sites mark them up."""
    body = "".join(f"<p>{line}</p>" for line in lines)
    return f"<article><h1>{title}</h1><div class=body>{body}</div></article>"


def read(page: bytes | str, entry: Entry | None = None) -> CleanArticle:
    raw = page.encode("utf-8", "surrogateescape") if isinstance(page, str) else page
    return clean_entry(
        entry or Entry(source="s"),
        page=raw,
        page_url="https://lantern.example/a",
        seen=SEEN,
        tuning=ALL_TUNING,
    ).article


@cache
def alone(page: str) -> CleanArticle:
    """The page without an entry that says anything."""
    return read(page)


def wrong(samples: list[Sample]) -> dict[str, str]:
    found = {one.name: alone(one.page).verdict for one in samples}
    return {
        one.name: found[one.name] for one in samples if found[one.name] not in one.right
    }


@pytest.mark.slow
@each_row("verdict_pages", "nearly all verdicts are right", "name", "most_wrong")
def test_nearly_all_verdicts_are_right(name: str, most_wrong: int) -> None:
    found = wrong([one for one in SAMPLES if one.set == name])
    assert len(found) <= most_wrong, found


def test_no_article_is_refused() -> None:
    good = [one for one in SAMPLES if one.right == ["ok"]]
    assert len(good) >= 25
    assert wrong(good) == {}


@pytest.mark.slow
def test_every_verdict_but_ok_has_a_reason() -> None:
    for one in SAMPLES:
        found = alone(one.page)
        assert (found.reason is None) == (found.verdict == "ok"), one.name


def refused(samples: list[Sample]) -> list[Sample]:
    """Without pages that hold nothing: with the feed's headline they are a stub."""
    return [
        one for one in samples if not {*ACCEPTED_VERDICTS, "empty"} & set(one.right)
    ]


@pytest.mark.later
def test_where_the_page_fails_the_feeds_own_words_are_taken() -> None:
    said = "The board of Sennick harbour has agreed to sell its eastern quay to traders for 84 million."
    own = Entry(
        source="s", title="Quay is sold", html=f"<p>{said}</p>", outlet="Lantern"
    )
    for one in refused(EARLIER):
        found = read(one.page, own)
        assert (found.verdict, found.title, found.text) == (
            "ok",
            "Quay is sold",
            said,
        ), one.name
        assert found.page_verdict in one.right
        assert found.reason
        assert "its page: " in found.reason


@pytest.mark.later
def test_a_headline_alone_is_left_where_the_feed_has_no_words() -> None:
    for one in refused(EARLIER):
        found = read(one.page, Entry(source="s", title="Quay is sold"))
        assert (found.verdict, found.title, found.text) == (
            "stub",
            "Quay is sold",
            "",
        ), one.name


def test_what_breaks_a_job_is_called_by_its_own_name() -> None:
    causes = ("timeout", "memory", "died", "failed")
    said = {cause: broken_article(WorkError(cause, "x")) for cause in causes}
    assert [one.verdict for one in said.values()] == [
        "timeout",
        "memory",
        "not_article",
        "not_article",
    ]
    assert all(one.reason for one in said.values())
    assert "died" in (said["died"].reason or "")
    assert "failed" in (said["failed"].reason or "")


def test_a_call_to_subscribe_inside_an_article_makes_no_wall() -> None:
    lines = numbered(
        "The council of Isk spoke of matter %n for an hour and voted at last.", 8
    )
    for place in (0, 3, 8):
        text = [
            *lines[:place],
            "Subscribe now to continue reading our best stories.",
            *lines[place:],
        ]
        page = framed("Council of Isk votes", article("Council of Isk votes", *text))
        assert read(page).verdict == ("paywall" if place == 8 else "ok")


def test_a_menu_is_no_text_of_a_short_page() -> None:
    video = next(one for one in SAMPLES if one.name == "stub: video (fr)")
    assert "Podcasts" not in read(video.page).text
    empty = framed(
        "Wind blows roof off mill",
        "<h1>Wind blows roof off mill</h1>" + "<p>More soon.</p>",
    )
    assert read(empty).text in ("", "More soon.")


@each_row(
    "verdict_pages",
    "a page that says it is not free and shows two sentences",
    "said",
    "verdict",
)
def test_a_page_that_says_it_is_not_free_and_shows_two_sentences(
    said: str | None, verdict: str
) -> None:
    title = "Harbour bridge cracks again"
    text = "Inspectors have found more cracks in the harbour bridge. It will stay closed until the autumn."
    price = "" if said is None else f',"isAccessibleForFree":{said}'
    data = f'{{"@type":"NewsArticle","headline":"{title}"{price}}}'
    page = framed(
        title,
        article(title, text),
        f'<script type="application/ld+json">{data}</script>',
    )
    assert read(page).verdict == verdict


def test_an_article_that_asks_for_consent_to_one_video_is_one() -> None:
    lines = numbered(
        "The council of Isk spoke of matter %n for an hour and voted at last.", 6
    )
    asked = "If you choose to accept, our partners will store cookies on your device and show you the film."
    for place in (0, 3, 6):
        page = framed(
            "Council of Isk votes",
            article("Council votes", *lines[:place], asked, *lines[place:]),
        )
        assert read(page).verdict == "ok"
    wall = article("Council votes", lines[0], asked, "Accept all", "Reject all")
    assert read(framed("Council of Isk votes", wall)).verdict == "consent"


def test_a_table_is_no_list_of_links() -> None:
    said = "The old harbour bridge was closed on Monday after inspectors found cracks in two of its pillars."
    rows = "".join(
        f"<tr><td>{n}</td><td>Ada Lorne</td><td>{90 - n}</td></tr>" for n in range(40)
    )
    page = framed(
        "Council of Isk votes", f"<article><p>{said}</p><table>{rows}</table></article>"
    )
    assert read(page).verdict == "ok"


def test_a_text_about_cookies_is_no_wall_for_only_pages_are() -> None:
    notice = "Wir verwenden Cookies. Cookies akzeptieren oder Datenschutzeinstellungen öffnen."
    said = "Die alte Hafenbrücke ist seit Montag gesperrt, weil Prüfer in zwei Pfeilern Risse gefunden haben."
    entry = Entry(
        source="s", title="Bürgermeister gerät in die Kritik", text=f"{notice}\n{said}"
    )
    assert clean_entry(entry, seen=SEEN, tuning=ALL_TUNING).article.verdict == "ok"


def good_pages() -> Iterator[tuple[str, bytes, str]]:
    for name in ("pages", "pages-world"):
        folder = DATA / name
        for page_id, truth in json.loads(
            (folder / "ground-truth.json").read_text(encoding="utf-8")
        ).items():
            raw = gzip.decompress((folder / "html" / f"{page_id}.html.gz").read_bytes())
            yield page_id, raw, truth.get("url")


@pytest.mark.later
@pytest.mark.skipif(
    not (DATA / "pages").is_dir(),
    reason="the sample pages are not here (AGGREGATOR_DATA)",
)
def test_no_good_page_is_refused() -> None:
    refused = {
        page_id: verdict
        for page_id, raw, url in good_pages()
        if (
            verdict := clean_entry(
                Entry(source="s"), page=raw, page_url=url, seen=SEEN, tuning=ALL_TUNING
            ).article.verdict
        )
        != "ok"
    }
    assert refused == {}
