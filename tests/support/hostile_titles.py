"""Texts that have broken feeds and their readers: markup, characters, directions, lengths."""

from datetime import timedelta
from random import Random

from aggregator.model.entry import Enclosure
from aggregator.model.story import Passage, Quotation, StoryText, StoryView
from tests.support.tables import rows
from tests.support.written_stories import MORNING, a_story, an_article

SCRIPTS = rows("hostile_titles", "scripts")
CHARACTERS = [
    "NUL\x00 VT\x0b ESC\x1b[31m BEL\x07",
    "\ud800 lone \udfff surrogates \ud83d",
    "\ufffe\uffff and \ufdd0\U0001ffff noncharacters",
    "replaced \ufffd\ufffd\ufffd",
    "C1 \x80\x85\x9f controls",
    "\u202egnidaer ni \u2067isolate\u2069 \u202aover\u202c",
    "zero\u200bwidth\u200d\u2060 and\ufeff marks",
    "line\u2028and\u2029paragraph separators",
    "tab\tand\r\nnew\nlines",
    "Z\u0351\u036b\u0343a\u0363\u0358l\u0321g\u0321o\u0322 above",
    "👩‍👩‍👧‍👦 family and 🏴\U000e0067\U000e0062\U000e007f flag",
]
LANGUAGES = [
    "台北發生地震，數百人撤離",
    "地震で電車が止まる",
    "المعارضة تدخل مدينة حمص",
    "בחירות מוקדמות בירושלים",
    "Überschwemmungen an der Küste",
    "ताज़ा समाचार",
    "น้ำท่วมกรุงเทพ",
    "서울에서 큰 화재",
    "Ночной пожар на складе",
]
WORDS = [
    "",
    "   ",
    "R&B2 & M&S: AT&T &copy 2026 &nbsp; &apos &#39; Q&A",
    "1 < 2 > 0 <3 <- a<b",
    "word " * 400,
    "x" * 5000,
    "&",
    "<",
    "100% of https://a.example/?b=c&d=e",
]
TEXTS = [*SCRIPTS, *CHARACTERS, *LANGUAGES, *WORDS]
ADDRESSES = [
    "javascript:alert(1)",
    "https://münchen.example/straße?q=ü#ß",
    'https://a.example/a|b{c}^`d"e',
    "https://a.example/[brackets]?x[]=1",
    "https://a.example/100%zz%41",
    "https://user:secret@a.example/",
    "https://[::1]/x",
    "https://a..example/x",
    "https://a.example:99999/",
    "https://xn--.example/",
    "http://a.example",
    "ftp://a.example/x",
    "//a.example/x",
    "https://a.example/\u202egpj.exe",
    "https://a.example/" + "x" * 3000,
    "data:text/html,<script>alert(1)</script>",
    "HTTPS://A.EXAMPLE/X",
]
MEDIA = [
    Enclosure(url="https://a.example/a.jpg", type="image/jpeg", length_bytes=10_000),
    Enclosure(url="https://a.example/ä.png", type="image"),
    Enclosure(url="https://a.example/b.mp3", type="audio/mpeg"),
    Enclosure(url="https://a.example/c.mp4", type="video/mp4", length_bytes=0),
    Enclosure(url="http://localhost/d.mp3", type="audio/mpeg", length_bytes=7),
    Enclosure(url="javascript:alert(1)", type="image/png"),
    Enclosure(url="https://a.example/e", type="te\u202ext/<x>"),
    Enclosure(
        url="https://a.example/f", type="application/pdf", title="<b>f\ufffd\x90</b>"
    ),
]


def hostile_stories(
    count: int, seed: int = 5
) -> list[tuple[StoryView, StoryText | None]]:
    """Stories with such texts in every place that a stranger can write to; the newest bump first."""
    rolls = Random(seed)

    def text() -> str:
        some = rolls.sample(TEXTS, 2)
        return some[0] if rolls.random() < 0.6 else " ".join(some)

    def address() -> str | None:
        return rolls.choice([None, *ADDRESSES, f"https://a.example/{rolls.random()}"])

    stories = []
    for number in range(count):
        effective = MORNING - timedelta(minutes=number % 50)  # many in one second
        articles = tuple(
            an_article(
                id=f"h{number}x{place}",
                title=text(),
                outlet=rolls.choice([None, text(), f"Outlet {place}"]),
                url=address(),
                wire=rolls.choice([None, text()]),
                lead=text(),
                effective_at=effective,
                language=rolls.choice(["en", "zh", "xx", "EN-us", "<b>", "", None]),
                copy_of=f"h{number}x0" if place and rolls.random() < 0.3 else None,
                media=tuple(rolls.sample(MEDIA, rolls.randint(0, 4))),
                nosnippet=rolls.random() < 0.1,
            )
            for place in range(rolls.randint(1, 6))
        )
        story = a_story(
            *articles,
            id=f"hostile{number}",
            title=text(),
            summary=text(),
            language=rolls.choice(["en", "de", "zh", "xx", "EN-us", "<b>", None]),
            updated=MORNING - timedelta(microseconds=number),
        )
        shown = None
        if rolls.random() < 0.7:
            first, *others = [
                Passage(text=text(), article_id=article.id) for article in articles
            ]
            quotation = Quotation(
                speaker=text(), text=text(), article_ids=(first.article_id,)
            )
            shown = StoryText(
                title=story.title,
                lead=(first,),
                openings=tuple(others),
                quotations=(quotation,),
            )
        stories.append((story, shown))
    return stories
