"""What each element inside a line becomes in text: the same in a feed, on a page and in a title."""

from datetime import datetime

import pytest

from aggregator.config.tuning import Tuning
from aggregator.extract.clean_article import clean_entry
from aggregator.extract.html.article_html import article_html
from aggregator.extract.html.dom import html_to_text
from aggregator.model.entry import Entry
from aggregator.model.prepared import CleanArticle
from aggregator.sources.parse.feeds.entry_builder import plain_title


def page_text(title: str, *lines: str) -> CleanArticle:
    """Return the article of a page with these lines."""
    paragraphs = "".join(f"<p>{line}</p>" for line in lines)
    page = f"<html><body><article><h1>{title}</h1>{paragraphs}</article></body></html>"
    entry = Entry(source="test", url="https://kite.example/1")
    return clean_entry(entry, page=page.encode(), seen=SEEN, tuning=Tuning()).article


SEEN = datetime.fromisoformat("2026-12-01T00:00Z")
# The markup in the line of a text, and the words that it becomes
ROWS = [
    ("a dose of 10<sup>6</sup> units", "a dose of 10⁶ units"),
    ("about 10<sup>-3</sup> of it", "about 10⁻³ of it"),
    ("a hall of 400 m<sup>2</sup> and 5×10<sup>3</sup> litres", "a hall of 400 m² and 5×10³ litres"),
    ("a cube of 3 <i>cm</i><sup>3</sup> in size", "a cube of 3 cm³ in size"),
    ("the sum (a + b)<sup>2</sup> is known", "the sum (a + b)² is known"),
    ("on the 1<sup>st</sup> of May", "on the 1st of May"),
    ("M<sup>me</sup> Berg au XX<sup>e</sup> siècle", "Mme Berg au XXe siècle"),
    ("the brand Kite<sup>™</sup> was sold", "the brand Kite™ was sold"),
    ("says a note<sup>3</sup> of the house", "says a note of the house"),
    ("in 2019<sup>4</sup> and later", "in 2019 and later"),
    ("it is so.<sup>12, 13</sup> They know", "it is so. They know"),
    ("the institute<sup><a href='#fn1'>[1]</a></sup> says", "the institute says"),
    ("the institute<a href='#note-2'>[2]</a> says", "the institute says"),
    ("the 10<sup><a href='#fn2'>2</a></sup> houses", "the 10 houses"),
    ("in the <a href='#part'>second part</a> below", "in the second part below"),
    ("much CO<sub>2</sub> and H<sub>2</sub>O", "much CO2 and H2O"),
    ("the number 101<sub>2</sub> is five", "the number 101₂ is five"),
    ("killed <del>three</del> <ins>five</ins> people", "killed five people"),
    ("the road is <s>open again</s> still closed", "the road is still closed"),
    ("it ends here. <strike>The mayor resigned.</strike>", "it ends here."),
    ("now <span style='text-decoration: line-through'>$50</span> $40 a ticket", "now $40 a ticket"),
    ("he said <q>no</q> to her", "he said “no” to her"),
    ("he said <q>“no”</q> to her", "he said “no” to her"),
    ("the <abbr title='World Health Organization'>WHO</abbr> says", "the WHO says"),
    ("the city of <ruby>東北<rp>(</rp><rt>とうほく</rt><rp>)</rp></ruby> is far", "the city of 東北 is far"),
    ("we won <img class='emoji' src='https://a.example/1f389.png' alt='🎉'> today", "we won 🎉 today"),
    ("we won <img src='https://a.example/p.png' alt='A hall'> today", "we won today"),
    ("an <mark>important</mark> <b>day</b>", "an important day"),
    ("press <kbd>Enter</kbd> or <code>x<sup>2</sup></code> now", "press Enter or x² now"),
]  # fmt: skip
BEFORE = "The council of Marl met on Monday to speak about the bridge over the Wend and its tolls for lorries."
BEHIND = "The mayor of Marl said that the bridge would be closed from spring on, and that it would be painted."


@pytest.mark.parametrize(("markup", "words"), ROWS)
def test_a_feed_tells_the_words_that_readers_see(markup: str, words: str) -> None:
    assert html_to_text(f"<p>{BEFORE}</p><p>{markup}</p><p>{BEHIND}</p>") == "\n".join(
        (BEFORE, words, BEHIND)
    )


@pytest.mark.parametrize(("markup", "words"), ROWS)
def test_a_page_tells_the_same_words_as_a_feed(markup: str, words: str) -> None:
    line = f"Yesterday, as all of them know, {markup}, and nobody in the town had thought it possible."
    text = page_text("Bridge of Marl", BEFORE, line, BEHIND).text
    shown = " ".join(html_to_text(f"<p>{line}</p>").split())
    assert " ".join(text.split("\n")[1].split()).replace(" ,", ",") == shown.replace(
        " ,", ","
    )


@pytest.mark.parametrize(
    ("raw", "title"),
    [
        ("Institute tests a dose of 10<sup>6</sup> units", "Institute tests a dose of 10⁶ units"),
        ("Institute tests a dose of 10&lt;sup&gt;6&lt;/sup&gt; units", "Institute tests a dose of 10⁶ units"),
        ("Storm kills <del>three</del> five in Marl", "Storm kills five in Marl"),
        ("The 1<sup>st</sup> of May", "The 1st of May"),
        ("Why <T> and <sup> matter", "Why <T> and <sup> matter"),
    ],
)  # fmt: skip
def test_a_title_tells_the_same_words_as_a_text(raw: str, title: str) -> None:
    assert plain_title(raw) == title


def test_a_text_that_is_struck_as_a_whole_is_not_lost() -> None:
    assert (
        html_to_text("<p><s>The storm killed three.</s></p>")
        == "The storm killed three."
    )


@pytest.mark.parametrize(
    "markup",
    [
        "<strike>three</strike>",
        "<s>three</s>",
        "<span style='text-decoration:line-through'>three</span>",
    ],
)
def test_struck_words_are_seen_struck_in_the_article_as_it_was_written(
    markup: str,
) -> None:
    html = article_html(f"<p>It killed {markup} five.</p>", None)
    assert html is not None
    assert html.html == "<p>It killed <s>three</s> five.</p>"


def test_the_headline_of_a_page_tells_raised_numbers() -> None:
    article = page_text("Dose of 10<sup>6</sup> units tested", BEFORE, BEHIND)
    assert article.title == "Dose of 10⁶ units tested"
