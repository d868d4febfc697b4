"""Which pictures, sounds and films are kept of an article."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.extract.media import media_of
from aggregator.model.entry import Enclosure, Entry
from tests.support.lantern_pages import HEAD, clean, page
from tests.support.tables import each_row, rows

PAGE = "https://lantern.example/2025/bridge"


def kept(
    *declared: Enclosure, page: tuple[Enclosure, ...] = (), **more: Any
) -> tuple[Enclosure, ...]:
    return media_of(declared, page, PAGE, no_images=more.get("no_images", False))


@pytest.mark.parametrize(
    ("url", "declared", "kind"),
    [
        *rows("media", "the type is a media type or what is known of it"),
        ("https://a.example/" + "x" * 2100 + ".jpg", "image/jpeg", None),
    ],
)
def test_the_type_is_a_media_type_or_what_is_known_of_it(
    url: str, declared: str, kind: str | None
) -> None:
    found = kept(Enclosure(url=url, type=declared))
    assert [(one.url.startswith("https://"), one.type) for one in found] == (
        [(True, kind)] if kind else []
    )


@each_row("media", "a sign of a path is no user", "url", "is_kept")
def test_a_sign_of_a_path_is_no_user(url: str, is_kept: bool) -> None:
    assert bool(kept(Enclosure(url=url, type="image/jpeg"))) == is_kept


def test_one_picture_first() -> None:
    sounds = [
        Enclosure(url=f"https://a.example/{n}.mp3", type="audio/mpeg") for n in range(6)
    ]
    pictures = [
        Enclosure(url=f"https://a.example/{n}.jpg", type="image/jpeg") for n in range(3)
    ]
    assert kept(sounds[0], sounds[0], *sounds, *pictures) == (pictures[0], *sounds)


def test_the_feeds_picture_goes_before_the_pages() -> None:
    own, shared = (
        Enclosure(url=PAGE + "/1.jpg", type="image"),
        Enclosure(url="/2.jpg", type="image"),
    )
    assert [one.url for one in kept(own, page=(shared,))] == [own.url]
    assert [one.url for one in kept(page=(shared,))] == [
        "https://lantern.example/2.jpg"
    ]
    assert kept(own, page=(shared,), no_images=True) == ()


@each_row("media", "the picture that a page is shared with", "head", "url")
def test_the_picture_that_a_page_is_shared_with(head: str, url: str) -> None:
    found = clean(
        Entry(source="s"), page(head=HEAD + head), "https://lantern.example/b"
    ).media
    assert [one.url for one in found] == [url]


@pytest.mark.slow
def test_what_the_feed_names_is_kept_with_and_without_a_page() -> None:
    sound = Enclosure(
        url="https://a.example/1.mp3",
        type="audio/mpeg",
        length_bytes=7,
        title="The  talk",
    )
    entry = Entry(
        source="s", title="Bridge", html="<p>Closed on Monday.</p>", enclosures=(sound,)
    )
    reported = Enclosure(
        url="https://a.example/1.mp3",
        type="audio/mpeg",
        length_bytes=7,
        title="The talk",
    )
    assert clean(entry).media == (reported,)
    assert clean(entry, page()).media == (reported,)


@pytest.mark.parametrize("rule", ["noimageindex", "max-image-preview:none"])
def test_a_page_may_forbid_pictures(rule: str) -> None:
    head = (
        HEAD
        + f'<meta property="og:image" content="/b.jpg"><meta name="robots" content="{rule}">'
    )
    picture = Enclosure(url="https://a.example/1.jpg", type="image/jpeg")
    assert clean(Entry(source="s", enclosures=(picture,)), page(head=head)).media == ()
    assert (
        clean(Entry(source="s", enclosures=(picture,), robots=rule), page()).media == ()
    )


@pytest.mark.later
@given(
    st.lists(
        st.builds(
            Enclosure,
            url=st.one_of(
                st.text(max_size=60),
                st.from_regex(r"https?://[a-z@:/.]{1,30}", fullmatch=True),
            ),
            type=st.sampled_from(
                ["", "image", "image/png", "audio/mpeg", "text/html", "x" * 200]
            ),
            title=st.text(max_size=20),
        ),
        max_size=8,
    )
)
def test_whatever_is_declared_what_is_kept_can_stand_in_a_feed(
    declared: list[Enclosure],
) -> None:
    found = kept(*declared)
    assert sum(one.is_image for one in found) <= 1
    assert all(
        one.url.startswith(("http://", "https://")) and one.type for one in found
    )
    assert len({one.url for one in found}) == len(found)
