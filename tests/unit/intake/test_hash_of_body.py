"""What counts as a change of a response: everything but the stamps around the items of a feed."""

import pytest

from aggregator.intake.polling.sitemap_index import hash_of_body

ITEM = "<item><title>Flood</title><pubDate>{}</pubDate></item>"
ENTRY = "<entry><title>Flood</title><updated>{}</updated></entry>"
TIMES = ("Fri, 20 Nov 2026 10:00:00 GMT", "Fri, 20 Nov 2026 11:00:00 GMT")


def hashes(form: str) -> set[bytes]:
    return {hash_of_body(form.format(time).encode()) for time in TIMES}


@pytest.mark.parametrize(
    "form",
    [
        "<rss><channel><pubDate>{}</pubDate><item></item></channel></rss>",
        "<rss><channel><item></item><lastBuildDate>{}</lastBuildDate></channel></rss>",
        "<feed><updated>{}</updated><entry></entry></feed>",
        "<rss><item></item></rss><!-- made on {} -->",
        "<!-- made on {} --><rss><item></item><item></item> & </b>",
        "<rss><pubDate>{}</pubDate><a:item></a:item ></rss>",
        # No item ends
        "<rss><channel><lastBuildDate>{}</lastBuildDate></channel></rss>",
        "<rss><lastBuildDate>{}</lastBuildDate><item/></rss>",
    ],
)
def test_a_stamp_around_the_items_does_not_count(form: str) -> None:
    assert len(hashes(form)) == 1


@pytest.mark.parametrize(
    "form",
    [
        f"<rss>{ITEM}</rss>",
        f"<rss><item></item>{ITEM}<item></item></rss>",
        f"<feed>{ENTRY}</feed>",
        # Its text has the tag of another format.
        f"<feed>{ENTRY}<entry><![CDATA[an <item></item>]]></entry></feed>",
        # Its last item, or each, is not closed, or is written otherwise.
        f"<rss><item></item>{ITEM.removesuffix('</item>')}",
        f"<rss>{ITEM.removesuffix('</item>')}",
        f"<rss>{ITEM.replace('item', 'ITEM')}<item></item></rss>",
        f"<rss><item></item>{ITEM.replace('item', 'rss:item')}</rss>",
        "<rss><item></item><title>{}</title></rss>",
        "<urlset><url><date>{}</date></url></urlset>",
        "<p>made on {}</p>",
        "<rss><item></item><!-- made <b>on</b> {} --></rss>",
    ],
)
def test_anything_else_counts(form: str) -> None:
    assert len(hashes(form)) == 2
