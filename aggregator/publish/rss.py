"""RSS 2.0 (https://www.rssboard.org/rss-specification) of stories, by lxml.

The bytes are a function of the stories and settings alone: nothing in them is the time of writing, so an
unchanged feed is unchanged to the byte. An item's GUID is its story's for life, on every installation; its
pubDate is the last bump.
"""

import datetime as dt
from collections.abc import Iterable
from email.utils import format_datetime

import nh3
from jinja2 import Environment
from lxml import etree

from aggregator.model import ArticleView, StoryView
from aggregator.publish.rights import for_reader
from aggregator.publish.safety import plain_title, safe_url, visible
from aggregator.publish.settings import PublishSettings

LISTED_ARTICLES = 20  # in one item, the newest; the story page has all
ATOM = "http://www.w3.org/2005/Atom"
_TAGS = {"a", "p", "ul", "li", "em", "strong"}


def story_guid(story_id: str) -> str:
    """The identity of a story in every feed, the same on every installation."""
    return f"tag:aggregator,2026:story/{story_id}"


def rss(stories: Iterable[StoryView], settings: PublishSettings, jinja: Environment, self_url: str) -> bytes:
    """The feed, as UTF-8 bytes. `self_url` is the address that it is read at, filters included.

    What it carries of an article is bounded as for anyone (rights), whoever asks: feeds are passed on.
    """
    shown = [for_reader(story, None, "excerpt", settings.excerpt_words)[0] for story in stories]
    root = etree.Element("rss", nsmap={"atom": ATOM}, version="2.0")
    channel = etree.SubElement(root, "channel")
    _add(channel, "title", plain_title(settings.title))
    _add(channel, "link", settings.base_url + "/")
    _add(channel, "description", "One item an event: what several outlets report, brought together.")
    etree.SubElement(channel, f"{{{ATOM}}}link", href=self_url, rel="self", type="application/rss+xml")
    if shown:
        _add(channel, "lastBuildDate", _rfc822(max(story.updated for story in shown)))
    _add(channel, "generator", "aggregator")
    for story in shown:
        _add_item(channel, story, settings, jinja)
    return etree.tostring(root, encoding="utf-8", xml_declaration=True, pretty_print=True)


def _add_item(
    channel: etree._Element, story: StoryView, settings: PublishSettings, jinja: Environment
) -> None:
    story_url = f"{settings.base_url}/stories/{story.id}"
    best = best_article(story.articles) if settings.link == "article" else None
    item = etree.SubElement(channel, "item")
    _add(item, "title", plain_title(story.title) or "Untitled")
    _add(item, "link", (safe_url(best.url) if best else None) or story_url)
    _add(item, "guid", story_guid(story.id)).set("isPermaLink", "false")
    _add(item, "pubDate", _rfc822(story.updated))
    _add(item, "description", _description(story, story_url, jinja))


def best_article(articles: tuple[ArticleView, ...]) -> ArticleView | None:
    """The article that a reader should open: the newest own report, else the newest that has an address."""
    linked = [article for article in articles if safe_url(article.url)]
    reports = [article for article in linked if article.role == "report" and article.copy_of is None]
    return max(reports or linked, key=lambda article: (article.effective, article.id), default=None)


def _description(story: StoryView, story_url: str, jinja: Environment) -> str:
    """Escaped by the template; cleaned again by an allow-list, should the template ever be wrong."""
    html = jinja.get_template("feed_item.html").render(
        story=story, story_url=story_url, shown=LISTED_ARTICLES
    )
    return nh3.clean(
        html,
        tags=_TAGS,
        attributes={"a": {"href"}},
        url_schemes={"http", "https"},
        link_rel="noopener noreferrer nofollow ugc",
    )


def _add(parent: etree._Element, name: str, text: str) -> etree._Element:
    element = etree.SubElement(parent, name)
    element.text = visible(text)
    return element


def _rfc822(time: dt.datetime) -> str:
    return format_datetime(time.astimezone(dt.UTC), usegmt=True)
