"""Invented articles of invented outlets for the tests of the stories room."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from aggregator.model.article import ArticleView
from aggregator.model.story import StoryText
from aggregator.stories import rendering
from aggregator.stories.story_tuning import shipped_tuning
from aggregator.stories.titles.title import headline

NOON = datetime.fromisoformat("2025-03-12T12:00Z")  # a Wednesday

FERRY_A = """\
The ferry Marlin sank off Port Ellis on Tuesday evening after striking a rock at the harbour entrance.
14 passengers were killed and dozens are still missing, the coast guard said.
Rescue boats brought 212 survivors to the fishing village of Tarnow during the night.
The captain of the Marlin, Joren Hale, has been arrested, police in Port Ellis said.
Residents of Tarnow opened the school gymnasium and handed out blankets and hot soup to those in need."""

FERRY_B = """The Marlin may have sunk because a bow door was open, engineers of the shipping board suspect.
A ferry with 240 people on board has sunk near the entrance of the harbour of Port Ellis.
The coast guard said 19 passengers were killed when the Marlin went down on Tuesday evening.
Police arrested the captain, Joren Hale, shortly after he came ashore.
The operator Bluewave Lines denied reports that the Marlin had been overloaded with cars and lorries.
Bluewave shares lost a tenth of their value on the exchange in Varna City on Wednesday."""

FERRY_C = """Port Ellis mourns the victims of the Marlin with candles, hymns and a minute of silence at noon.
Survivors told of reports that the Marlin had been badly overloaded with cars and lorries.
Divers will search the wreck of the ferry on Thursday, the ministry of transport announced.
The Marlin had failed a safety inspection in October, according to documents of the harbour authority."""


def view(
    id_: str = "a", outlet: str | None = "Harbour Post", **changes: Any
) -> ArticleView:
    """An article; times count from noon of 12 March 2025, `hours` later."""
    time = NOON + timedelta(hours=changes.pop("hours", 0))
    values: dict[str, Any] = {
        "id": id_,
        # In the order of the ids
        "inbox_no": int.from_bytes(id_.encode().ljust(7, b"\0")[:7]),
        "outlet": outlet,
        "outlet_key": outlet,
        "url": f"https://{id_}.example/",
        "title": "",
        "published": time,
        "seen": NOON + timedelta(days=30),
        "effective_at": time,
        "language": "en",
        "copy_of": None,
        "wire": None,
        "role": "report",
        "published_precision": "minute",
    }
    values.update(changes)
    if values.get("text"):
        values.setdefault("lead", values["text"].split("\n")[0])
    return ArticleView(**values)


def story_text(articles: Sequence[ArticleView], title: str | None = None) -> StoryText:
    """What a story shows under its best title."""
    if title is None:
        title = headline(articles, None).title
    return rendering.story_text(articles, title, shipped_tuning())


def ferry() -> list[ArticleView]:
    """Three reports of one disaster."""
    sinks = "Ferry Marlin sinks off Port Ellis, at least 14 killed"
    mourns = "Live: Port Ellis mourns ferry victims - North Courier"
    return [
        view("a", "Harbour Post", title=sinks, text=FERRY_A),
        view(
            "b",
            "Daily Lantern",
            title="Why did the Marlin sink? | Daily Lantern",
            text=FERRY_B,
            hours=2,
        ),
        view("c", "North Courier", title=mourns, text=FERRY_C, hours=5),
    ]


def is_in_article(text: str, article: ArticleView) -> bool:
    """Return whether the words stand exactly so in one paragraph of the article."""
    return any(text in line for line in article.text.split("\n"))


def check_words(shown: StoryText, articles: Sequence[ArticleView]) -> None:
    """Fail unless all that is shown stands word for word in the articles that it is attributed to."""
    by_id = {article.id: article for article in articles}
    for passage in (*shown.lead, *shown.openings):
        assert is_in_article(passage.text, by_id[passage.article_id]), passage
    for quotation in shown.quotations:
        for article_id in quotation.article_ids:
            assert is_in_article(quotation.text, by_id[article_id]), quotation
