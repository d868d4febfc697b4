"""E-mail as input: messages, mbox files and Maildir folders."""

import base64
import gzip
import io
import itertools
from datetime import datetime
from pathlib import Path

import pytest

from aggregator.config.tuning import Tuning
from aggregator.extract.clean_article import clean_entry
from aggregator.sources.parse.mail import entry_of_mail
from tests.support.read_paths import TUNING, entries_of, problems_of, read_path
from tests.support.tables import each_row, rows

SEEN = datetime.fromisoformat("2026-11-23T00:00Z")
STORY = (
    "Der Brückenbau in Lindau ruht seit Freitag, weil ein Pfeiler sich um vier Zentimeter gesenkt hat. "
    "Das Bauamt rechnet mit einer Pause von drei Wochen, wie ein Sprecher der Stadt am Abend mitteilte. "
    "Der Verkehr wird bis dahin über die Seestraße geleitet, Busse fahren im Takt von zwanzig Minuten."
)
HTML = (
    "<html><body><table><tr><td><a href='https://news.example/v/1?utm_id=3D7&amp;utm_x=3D'>Im <b>Browser=\n"
    " ansehen</b></a></td></tr><tr><td><h1>Br=FCcke</h1><p>"
    + STORY.replace("ü", "=FC").replace("ß", "=DF")
    + "</p><p><a href='https://news.example/weg'>Abmelden</a></p></td></tr></table></body></html>"
)
NEWSLETTER = f"""\
Return-Path: <post@bounce.example>
From: =?utf-8?Q?Anna_M=C3=BCller?= <anna@post.example>
List-Id: Lindauer Bote <morgen.bote.example>
Subject: =?iso-8859-1?Q?Br=FCckenbau_ruht:_?=
 =?iso-8859-1?Q?drei_Wochen_Pause?=
Date: Fri, 20 Nov 2026 18:30:00 +0100
Message-ID: <n1@bote.example>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="out"

--out
Content-Type: multipart/alternative; boundary="in"

--in
Content-Type: text/plain; charset=utf-8

The plain words.
--in
Content-Type: text/html; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

{HTML}
--in--
--out
Content-Type: text/html; name="ad.html"
Content-Disposition: attachment; filename="ad.html"

<p>An attachment.</p>
--out--
""".encode()
SIGNED = b"""\
From: "The Gazette" <desk@gazette.example>
List-Id: 9f1c2d3mc list <9f1c2d3.77.list-id.example>
Subject: Lock gate mended
Date: Fri, 20 Nov 2026 18:30:00 +0000
Message-ID: <s1@gazette.example>
Content-Type: multipart/signed; boundary=s; protocol="application/pgp-signature"

--s
Content-Type: text/plain; charset=klingon

View this email in your browser
(https://gazette.example/lock)

The lock gate holds again,
the harbour office said.

From here on ships pass.
--s
Content-Type: application/pgp-signature

-----BEGIN PGP SIGNATURE-----
--s--
"""


def test_a_newsletter_is_an_article_with_address_outlet_and_date(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.eml").write_bytes(NEWSLETTER.replace(b"\n", b"\r\n"))
    (entry,) = entries_of(read_path(tmp_path))
    assert (entry.guid, entry.outlet) == ("n1@bote.example", "anna@post.example")
    assert entry.title == "Brückenbau ruht: drei Wochen Pause"
    assert entry.url == "https://news.example/v/1"
    assert entry.published.time == datetime.fromisoformat("2026-11-20T17:30Z")
    article = clean_entry(entry, seen=SEEN, tuning=Tuning()).article
    assert article.verdict == "ok", article.reason
    assert article.text == STORY
    assert (article.title, article.language) == (entry.title, "de")


@pytest.mark.later
@pytest.mark.parametrize("name", ["news.mbox", "news.mbox.gz", "-"])
def test_an_mbox_is_read_message_by_message(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = b"From desk@gazette.example Fri Nov 20 18:30:00 2026\n"
    broken = b"Content-Type: " + b"(" * 5000 + b"\n\nx\n"
    quoted = SIGNED.replace(b"\nFrom here", b"\n>From here")
    long = b"Subject: long\n\n" + b"x" * (TUNING.max_article_bytes + 1) + b"\n"
    messages = (NEWSLETTER, quoted, broken, long, SIGNED.replace(b"s1@", b"s2@"))
    data = b"\n".join(line + one for one in messages)
    (tmp_path / "news.mbox").write_bytes(data)
    (tmp_path / "news.mbox.gz").write_bytes(gzip.compress(data))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    items = read_path(Path(name) if name == "-" else tmp_path / name)
    guids = [one.guid for one in entries_of(items)]
    assert guids == ["n1@bote.example", "s1@gazette.example", "s2@gazette.example"]
    assert "<p>From here on ships pass.</p>" in (entries_of(items)[1].html or "")
    bad = problems_of(items)
    places = [(one.verdict, one.where.rpartition(", ")[2]) for one in bad]
    assert places == [(None, "message 3"), ("too_long", "message 4")]
    (tmp_path / "cut.mbox.gz").write_bytes(gzip.compress(data)[:-30])
    assert "damaged" in read_path(tmp_path / "cut.mbox.gz")[-1].reason


def test_a_maildir_keeps_its_identities_when_a_message_is_seen(tmp_path: Path) -> None:
    for name in ("new", "cur", "tmp"):
        (tmp_path / "Mail" / name).mkdir(parents=True)
    (tmp_path / "Mail" / "cur" / "17.M1.host.example:2,S").write_bytes(SIGNED)
    (tmp_path / "Mail" / "new" / "18.M2.host.example").write_bytes(NEWSLETTER)
    (tmp_path / "Mail" / "tmp" / "19.M3.host.example").write_bytes(NEWSLETTER)
    before = entries_of(read_path(tmp_path / "Mail"))
    assert [one.guid for one in before] == ["s1@gazette.example", "n1@bote.example"]
    assert {one.source for one in before} == {"Mail"}
    new = tmp_path / "Mail" / "new" / "18.M2.host.example"
    new.rename(tmp_path / "Mail" / "cur" / "18.M2.host.example:2,RS")
    assert entries_of(read_path(tmp_path / "Mail")) == before


def nested(levels: int, end: bytes) -> bytes:
    parts = (
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n)
        for n in range(levels)
    )
    return b"".join(parts) + end


@pytest.mark.later
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (nested(5000, b"\nx"), "more than 50 parts"),
        (nested(48, b"\n" * 190_000), "no text"),
    ],
)
def test_a_message_that_cannot_be_read_gives_one_clear_problem(
    tmp_path: Path, data: bytes, words: str
) -> None:
    (tmp_path / "x.eml").write_bytes(data)
    (problem,) = read_path(tmp_path)
    assert words in problem.reason


def test_broken_headers_leave_the_rest(tmp_path: Path) -> None:
    """A broken charset, date, sender and list; no Message-ID: the message itself is the identity."""
    data = b'Subject: =?bogus?q?Lock?= \xff\nDate: ((\nFrom: "a <\nList-Id: <\nMessage-ID: \xff\n\nWords.\n'
    (tmp_path / "x.eml").write_bytes(data)
    (entry,) = entries_of(read_path(tmp_path))
    assert (entry.url, entry.published) == (None, None)
    assert entry.title.startswith("Lock")
    assert entry.html == "<p>Words.</p>"
    assert len(entry.guid or "") == 32


@pytest.mark.parametrize(
    ("link", "kept"),
    [
        *rows("mail", "an address with a key of the subscriber is not kept"),
        ("https://news.example/?" + "utm_x=1&" * 60, False),
    ],
)
def test_an_address_with_a_key_of_the_subscriber_is_not_kept(
    tmp_path: Path, link: str, kept: bool
) -> None:
    (tmp_path / "a.eml").write_bytes(
        SIGNED.replace(b"https://gazette.example/lock", link.encode())
    )
    (entry,) = entries_of(read_path(tmp_path))
    assert entry.url == (link.partition("?")[0].partition("#")[0] if kept else None)


@each_row("mail", "an address that is not of the web is not kept", "link")
@pytest.mark.parametrize("place", ["archived", "html", "plain"])
def test_an_address_that_is_not_of_the_web_is_not_kept(
    tmp_path: Path, link: str, place: str
) -> None:
    words = {
        "archived": f"Archived-At: <{link}>\n\nThe lock gate holds.",
        "html": f"Content-Type: text/html\n\n<p>Holds.<a href='{link}'>View in browser</a>",
        "plain": f"\nView in browser: {link}\n\nThe lock gate holds.",
    }
    (tmp_path / "a.eml").write_text(
        f"Subject: Lock\nMIME-Version: 1.0\n{words[place]}", encoding="utf-8"
    )
    (entry,) = entries_of(read_path(tmp_path))
    assert entry.url is None


OWN_SERVER = "Received: by 2002:a05:6214 with SMTP id 7\nReceived: from x by mx.own.example with ESMTPS id 8\n"


@each_row(
    "mail",
    "a mail is of the site that its server has confirmed",
    "sender",
    "said",
    "outlet",
)
def test_a_mail_is_of_the_site_that_its_server_has_confirmed(
    tmp_path: Path, sender: str, said: str, outlet: str
) -> None:
    headers = said.replace("OWN", f"{OWN_SERVER}Authentication-Results:") + "\n"
    mail = f"{headers.lstrip()}From: {sender}\nSubject: Lock mended\nMIME-Version: 1.0\n\nThe lock gate holds."
    (tmp_path / "a.eml").write_text(mail)
    (entry,) = entries_of(read_path(tmp_path))
    assert entry.outlet == outlet


@each_row(
    "mail", "results of a server confirm a domain and no address", "result", "outlet"
)
def test_results_of_a_server_confirm_a_domain_and_no_address(
    tmp_path: Path, result: str, outlet: str
) -> None:
    results = f"{OWN_SERVER}Authentication-Results: mx.own.example; {result}\n"
    mail = f"{results}From: desk@gazette.example\nSubject: Lock\nMIME-Version: 1.0\n\nThe lock holds."
    (tmp_path / "a.eml").write_text(mail)
    (entry,) = entries_of(read_path(tmp_path))
    assert entry.outlet == outlet


@each_row(
    "mail",
    "a subject is decoded by the charset that is meant",
    "charset",
    "codec",
    "subject",
)
def test_a_subject_is_decoded_by_the_charset_that_is_meant(
    charset: str, codec: str, subject: str
) -> None:
    data = subject.encode(codec)
    for places in ((0, len(data)), (0, 7, len(data)), (0, 4, 11, len(data))):
        words = [
            f"=?{charset}?B?{base64.b64encode(data[start:end]).decode()}?="
            for start, end in itertools.pairwise(places)
        ]
        header = "\r\n ".join(words)
        message = f"Subject: {header}\r\n\r\nText.\r\n"
        assert entry_of_mail(message.encode(), source="m", seen=SEEN).title == subject


ABOVE = f"{STORY}\n\nAm Abend war die Seestraße gesperrt, wie die Polizei mitteilte."


def text_of_mail(body: str, kind: str = "plain") -> str:
    head = "From: a@b.example\nSubject: Brückenbau ruht\nMessage-ID: <1@b.example>\nMIME-Version: 1.0\n"
    message = f"{head}Content-Type: text/{kind}; charset=utf-8\n\n{body}".encode()
    entry = entry_of_mail(message, source="s", seen=SEEN)
    return clean_entry(entry, seen=SEEN, tuning=Tuning()).article.text


@each_row("mail", "what is below the text of a message is no text", "below")
def test_what_is_below_the_text_of_a_message_is_no_text(below: str) -> None:
    assert text_of_mail(f"{ABOVE}\n\n{below}") == text_of_mail(ABOVE)


def test_a_footer_of_a_newsletter_in_html_is_no_text() -> None:
    body = "".join(f"<p>{one}</p>" for one in ABOVE.split("\n\n"))
    footer = "<p>You receive this because you subscribed. <a href='https://b.example/u'>Unsubscribe</a></p>"
    signature = "<div class='moz-signature'>-- <br>Ada Lorne<br>Lindauer Bote</div>"
    for below in (
        footer,
        signature,
        f"{signature}<div>{footer}</div><p>Lindau, Seestraße 1</p>",
    ):
        assert "Unsubscribe" not in text_of_mail(
            f"<html><body>{body}{below}</body></html>", "html"
        )
        assert "Ada Lorne" not in text_of_mail(
            f"<html><body>{body}{below}</body></html>", "html"
        )


def test_sentences_before_that_about_the_subscription_stay() -> None:
    assert text_of_mail(
        f"{ABOVE} Unsubscribe: https://bote.example/u/1\n"
    ) == text_of_mail(ABOVE)
    link = "<a href='https://b.example/u'>Unsubscribe</a>"
    assert text_of_mail(f"<div>{STORY}<br><br>{link}</div>", "html") == text_of_mail(
        f"<p>{STORY}</p>", "html"
    )


@pytest.mark.parametrize(
    "below",
    [
        f"--\n\n{ABOVE}\n",
        f"-- \n\n{ABOVE}\n",
        f"{'_' * 47}\n\n{ABOVE}\n",
        "Ergebnisse\n" + "=" * 24 + "\n\n1. Lindau\n\n2. Bregenz\n",
        "--\n\nLindau 12\n\nBregenz 14\n\nKonstanz 9\n\nMeersburg 3\n\nArbon 2\n",
        "Wie Leser einen Newsletter abbestellen, erklärt das Amt am Montag im Rathaus von Lindau.\n",
    ],
)
def test_nothing_of_a_message_is_lost_below_a_separator(below: str) -> None:
    text = text_of_mail(f"{ABOVE}\n\n{below}")
    lines = [line for line in below.split("\n") if any(c.isalpha() for c in line)]
    assert all(" ".join(line.split()) in " ".join(text.split()) for line in lines)
