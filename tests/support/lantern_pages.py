"""An invented page of a newspaper, and the clean article of an entry and its page."""

from datetime import datetime

from aggregator.config.tuning import Tuning
from aggregator.extract.clean_article import clean_entry
from aggregator.model.entry import Entry
from aggregator.model.prepared import CleanArticle

SEEN = datetime.fromisoformat("2025-03-10T00:00Z")


ALL_TUNING = Tuning()


SENTENCES = [
    "The old harbour bridge was closed on Monday after inspectors found cracks in its pillars.",
    "Traffic is led over the northern road until the repairs are done, the port said in the morning.",
    "The bridge was built ninety years ago and carries about nine thousand cars and forty buses a day.",
    "A spokeswoman said that nobody had been hurt and that ferries would run every ten minutes from Tuesday.",
    "The mayor called for patience and promised that the town would pay for the ferries until May.",
    "Engineers are to decide next week whether the two pillars can be saved or have to be built again.",
    "Shopkeepers on the island fear for their trade, which lives on visitors from the other side.",
    "A similar closure eleven years ago lasted four months and cost the island a fifth of them.",
]


HEAD = """<title>Harbour bridge closed | The Daily Lantern</title>
<meta property="og:title" content="Harbour bridge closed over cracks">
<meta property="og:site_name" content="The Daily Lantern">
<meta name="author" content="Ada Lorne">
<meta property="article:published_time" content="2025-03-06T10:15:00+01:00">
<meta property="article:modified_time" content="2025-03-07T08:00:00Z">
<link rel="canonical" href="https://lantern.example/bridge">"""


def page(body: str = "", head: str = HEAD) -> bytes:
    paragraphs = "".join(f"<p>{sentence}</p>" for sentence in SENTENCES)
    return (
        f"<!doctype html><html lang='en'><head>{head}</head><body><nav><a href='/'>Home</a></nav>"
        f"<article><h1>Harbour bridge closed over cracks</h1>{body or paragraphs}</article>"
        "<footer><p>About us</p></footer></body></html>"
    ).encode()


def clean(
    entry: Entry,
    fetched: bytes | None = None,
    url: str | None = "https://lantern.example/b",
) -> CleanArticle:
    return clean_entry(
        entry, page=fetched, page_url=url, seen=SEEN, tuning=ALL_TUNING
    ).article
