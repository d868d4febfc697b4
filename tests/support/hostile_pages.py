"""Pages made to break a reader: floods, depths, endless values, characters that no text may hold.

Each has a name, its bytes, and a sentence that must be found in its text (None: nothing is promised). All
come from a seed. The kinds follow faults of real extractors.
"""

import random
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from tests.support.tables import rows

SENTENCE = "The ferry to Lower Brannock was cancelled on Tuesday after its captain refused to sail."
MORE = (
    "The harbour office said that the next one leaves on Thursday at noon.",
    "Passengers with a ticket may keep it for the whole of next month.",
    "Nobody on the quay could say when the old pier will be mended.",
)


Make = Callable[[random.Random], str]


class HostilePage(NamedTuple):
    name: str
    page: bytes
    promised: str | None = None  # a sentence of its text


def hostile_pages(
    seed: int, names: Collection[str] | None = None
) -> Iterator[HostilePage]:
    """All kinds, or those of `names`; sizes and spellings are drawn from `seed`, for each page by itself."""
    for name, make, promised in _kinds():
        if names is None or name in names:
            yield HostilePage(name, make(random.Random(f"{seed} {name}")), promised)


def _kinds() -> Iterator[tuple[str, Callable[[random.Random], bytes], str | None]]:
    for name, make in FLOODS.items():
        yield f"flood: {name}", _made(make), None
    for name, make in DEPTHS.items():
        yield f"depth: {name}", _made(make), None
    for name, make in TAGS.items():
        yield f"tag: {name}", _made(make, _article()), None
    for name, make in HEADS.items():
        yield f"head: {name}", _headed(make), SENTENCE
    for name in CHARACTERS:
        yield (
            f"character: {name}",
            (lambda _, name=name: character_page(name)),
            MORE[-1],
        )
    for label in CHARSETS:
        yield (
            f"charset: {label}",
            _headed(lambda _, label=label: f'<meta charset="{label}">'),
            SENTENCE,
        )
    for name, (make_bytes, promised) in BYTES.items():
        yield f"bytes: {name}", make_bytes, promised


def _made(make: Make, after: str = "") -> Callable[[random.Random], bytes]:
    return lambda draw: _page(make(draw) + after)


def _headed(make: Make) -> Callable[[random.Random], bytes]:
    return lambda draw: _page(_article(), head=make(draw))


def character_page(name: str) -> bytes:
    """A page with that character in the middle of its text, beside each of four different sentences."""
    bad = CHARACTERS[name]
    reported = "".join(f"<p>{bad}{sentence}{bad}</p>" for sentence in (SENTENCE, *MORE))
    return _page(f"<article><h1>No ferry on Tuesday</h1>{reported}</article>")


def plain_page() -> bytes:
    """A page as it should be, to see that the next job goes well."""
    return _page(_article())


def _page(body: str, head: str = "") -> bytes:
    title = "<title>No ferry on Tuesday</title>"
    return f"<!DOCTYPE html><html><head>{title}{head}</head><body>{body}</body></html>".encode(
        "utf-8", "surrogatepass"
    )


def _article() -> str:
    reported = "".join(f"<p>{sentence}</p>" for sentence in (SENTENCE, *MORE))
    return f"<article><h1>No ferry on Tuesday</h1>{reported}</article>"


def _times(text: str, least: int, most: int) -> Make:
    return lambda draw: text * draw.randint(least, most)


FLOODS: dict[str, Make] = {
    "breaks": _times("<br>", 900_000, 1_000_000),
    "breaks with words": _times("word <br>", 300_000, 330_000),
    "paragraphs": _times("<p>a line of five words", 90_000, 110_000),
    "same sentences": _times(f"<p>{SENTENCE}</p>", 30_000, 40_000),
    "short paragraphs": _times("<p>x", 200_000, 250_000),
    "links": _times("<a href='/x'>a link to another page</a> ", 90_000, 200_000),
    "cards": _times(
        "<a href='/x'><div><h3>A headline of another page</h3></div></a>",
        40_000,
        50_000,
    ),
    "cards with tails": _times(
        "<div class='newsletter'>sign up</div>and a tail of words, ", 40_000, 50_000
    ),
    "articles": _times(
        "<article><h2><a href='/x'>A headline of five words</a></h2></article>",
        30_000,
        40_000,
    ),
    "lists of links": _times(
        "<ul><li><a>one two three four</a><li><a>one two three four</a></ul>",
        30_000,
        40_000,
    ),
    "tables": _times("<table><tr><td><p>a<p>b<p>c</table>", 30_000, 40_000),
    "cells": lambda draw: (
        f"<table><tr>{'<td>x' * draw.randint(90_000, 100_000)}</table>"
    ),
    "one cell, many tables": lambda draw: (
        f"<table><td><table><td>{'<table><td>x</table>' * 30_000}"
    ),
    "headings": _times("<h1>No ferry on Tuesday</h1>", 60_000, 80_000),
    "times": _times("<time datetime='2024-12-06'>x</time>", 60_000, 80_000),
    "spans": _times("<span>T</span>he ", 90_000, 100_000),
    "bold": _times("<p><b>T</b>he ferry", 90_000, 100_000),
    "figures": _times(
        "<figure><img><p>x</p><figcaption>y</figcaption></figure>", 30_000, 40_000
    ),
    "comments": _times("<!-- <p> -->", 200_000, 250_000),
    "open comments": _times("<!--", 500_000, 600_000),
    "open tags": _times("<", 2_000_000, 3_000_000),
    "scripts": _times("<script>if (a < b) { c() }</script>", 50_000, 60_000),
    "one long word": lambda draw: f"<p>{'x' * draw.randint(3_000_000, 5_000_000)}</p>",
    "one long paragraph": lambda draw: (
        f"<p>{'a word and ' * draw.randint(300_000, 500_000)}</p>"
    ),
    "spaces": lambda draw: f"<p>a{' ' * draw.randint(2_000_000, 3_000_000)}b</p>",
    "lines": lambda draw: (
        f"<pre>{'x' + chr(10) * draw.randint(500_000, 1_000_000)}</pre>"
    ),
    "entities": _times("&amp;&lt;&nbsp;", 150_000, 200_000),
    "full stops": lambda draw: f"<p>{'. ' * draw.randint(500_000, 700_000)}</p>",
    "capitals": lambda draw: f"<p>{'A B C MORE ' * draw.randint(100_000, 150_000)}</p>",
    "bars": lambda draw: f"<p>{'Home | News / ' * draw.randint(100_000, 150_000)}</p>",
    "clocks": _times("<p>10:30 It rained.</p>", 60_000, 80_000),
    "accents": lambda draw: f"<p>a{chr(0x301) * draw.randint(500_000, 700_000)}</p>",
    "wide": lambda draw: f"<p>{'船が出なかった。' * draw.randint(60_000, 80_000)}</p>",
    "fifty megabytes": lambda draw: (
        "<p>a line of words here</p>" * draw.randint(1_900_000, 2_000_000)
    ),
}


def _nested(tag: str) -> Make:
    return lambda draw: f"<{tag}>" * draw.randint(50_000, 100_000) + SENTENCE


_TAGS = (
    "div",
    "b",
    "span",
    "blockquote",
    "ul><li",
    "table><td",
    "font",
    "article",
    "section",
    "a href='/x'",
)
_BOXES = (
    "<div class='newsletter'>" * 200
    + "x"
    + ("</div>" * 200 + "<div class=teaser>" * 200) * 100
)
DEPTHS: dict[str, Make] = {
    **{tag: _nested(tag) for tag in _TAGS},
    "named boxes": lambda draw: _BOXES[draw.randrange(100) :],
    "chains of 200": _times(
        "<div>" * 200 + "<p>word word word" + "</div>" * 200, 90, 110
    ),
    "closing": _times("</div></p></b>", 100_000, 150_000),
    "formatting": lambda draw: "<p><b><i><u>" * draw.randint(5_000, 6_000) + SENTENCE,
}

TAGS: dict[str, Make] = {
    "attributes": lambda draw: (
        f"<div {' '.join(f'a{n}={n}' for n in range(draw.randint(90_000, 100_000)))}>x</div>"
    ),
    "bare attributes": lambda draw: (
        f"<div {'a ' * draw.randint(100_000, 200_000)}>x</div>"
    ),
    "quotes": lambda draw: f"<div a={chr(34) * draw.randint(100_000, 200_000)}>x</div>",
    "a long class": lambda draw: (
        f"<div class='{'teaser ' * draw.randint(100_000, 150_000)}'>x</div>"
    ),
    "a long name": lambda draw: f"<{'x' * draw.randint(100_000, 200_000)}>x",
    "a long address": lambda draw: (
        f"<a href='/{'x/' * draw.randint(200_000, 300_000)}'>x</a>"
    ),
    "many classes": lambda draw: "".join(
        f"<div class='c{n}'>x</div>" for n in range(15_000)
    ),
    "never closed": lambda draw: f"<div a='{'b c=d ' * draw.randint(100_000, 150_000)}",
}

HEADS: dict[str, Make] = {
    "author": lambda draw: (
        f"<meta name=author content='{'&lt; ' * draw.randint(150_000, 200_000)}'>"
    ),
    "description": lambda draw: (
        f"<meta name=description content='{'by x, ' * draw.randint(100_000, 150_000)}'>"
    ),
    "og:title": lambda draw: (
        f"<meta property=og:title content='{'a | ' * draw.randint(100_000, 150_000)}'>"
    ),
    "date": lambda draw: (
        f"<meta property=article:published_time content='{'2024-12-06T' * draw.randint(50_000, 80_000)}'>"
    ),
    "many metas": _times("<meta name=author content=x>", 10_000, 15_000),
    "long json": lambda draw: _ld(
        f'{{"@type":"NewsArticle","articleBody":"{"x " * draw.randint(100_000, 200_000)}"}}'
    ),
    "deep json": lambda draw: _ld("[" * draw.randint(50_000, 100_000)),
    "wide json": lambda draw: _ld(
        f"[{','.join(['{}'] * draw.randint(50_000, 80_000))}]"
    ),
    "nested graphs": lambda draw: _ld('{"@graph":[' * 900 + "]}" * 900),
    "authors": lambda draw: _ld(
        f'{{"@type":"NewsArticle","author":[{",".join(["{}"] * 50_000)}]}}'
    ),
    "numbers": lambda draw: _ld(
        '{"@type":"NewsArticle","headline":1e999,"datePublished":[[[]]],"author":7}'
    ),
    "json of surrogates": lambda draw: _ld(
        '{"@type":"NewsArticle","headline":"\\ud800 x","author":"\\udfff"}'
    ),
    "many blocks": lambda draw: _ld('{"@type":"WebPage"}') * draw.randint(2_000, 3_000),
    "links": _times("<link rel=canonical href='http://[::1'>", 5_000, 8_000),
    "a base": lambda draw: "<base href='http://[bad'>",
    "a refresh": lambda draw: (
        f"<meta http-equiv=refresh content='0;url={'x' * 100_000}'>"
    ),
}


def _ld(data: str) -> str:
    return f'<script type="application/ld+json">{data}</script>'


CHARACTERS: dict[str, str] = {
    "reference to nothing": "&#0;",
    "reference to a surrogate": "&#xD800;",
    "reference to the last surrogate": "&#57343;",
    "reference past the end": "&#x110000;",
    "a huge reference": "&#99999999999999999999;",
    "reference to a control": "&#1;&#x1f;&#x8;",
    "reference to no character": "&#xFFFE;&#xFFFF;&#x1FFFE;",
    "a NUL": "\0",
    "a control": "\x08",  # more of them, and the page is binary
    "a lone surrogate": "\ud800",
    "a pair of surrogates the wrong way round": "\udc00\ud800",
    "no characters": "\ufffe\uffff\U0001ffff",
    "a mark of byte order": "\ufeff",
    "overrides": "\u202e\u2066",
    "a variation": "\U000e0100\ufe0f",
}

CHARSETS = rows("hostile_pages", "charsets")


def _shuffled(draw: random.Random) -> bytes:
    page = bytearray(plain_page())
    for _ in range(200):
        page[draw.randrange(len(page))] = draw.randrange(256)
    return bytes(page)


_BROKEN = plain_page().replace(b" ", b"\xc3 ", 3).replace(b"</p>", b"\xff</p>")
BYTES: dict[str, tuple[Callable[[random.Random], bytes], str | None]] = {
    "at random": (lambda draw: draw.randbytes(draw.randint(500_000, 1_000_000)), None),
    "at random with tags": (
        lambda draw: b"<p>".join(draw.randbytes(50) for _ in range(10_000)),
        None,
    ),
    "NULs": (lambda draw: bytes(draw.randint(1_000_000, 2_000_000)), None),
    "cut anywhere": (lambda draw: plain_page()[: draw.randrange(1_000)], None),
    "UTF-16 without a mark": (
        lambda _: plain_page().decode().encode("utf-16-le"),
        SENTENCE,
    ),
    "UTF-16 with a mark": (lambda _: plain_page().decode().encode("utf-16"), SENTENCE),
    "broken UTF-8": (lambda _: _BROKEN, None),
    "changed at random": (_shuffled, None),
}
