"""A feed's items from the shelf."""

import msgspec

from aggregator.model.core import MergedStory, StoryView
from aggregator.model.read_model import Shelf, StoryFilter
from aggregator.web.feeds.formats import Which
from aggregator.web.feeds.items import story_items
from aggregator.web.feeds.model import Item
from aggregator.web.feeds.updates import change_items
from aggregator.web.filters import Wanted
from aggregator.web.settings import PublishSettings

MOST_PAGES = 20  # asked of the shelf for one feed: a filter that hardly any story fits ends there


class Gathered(msgspec.Struct, frozen=True):
    """`complete`: nothing about these items is still to be worked out."""

    items: tuple[Item, ...]
    complete: bool = True


def gather(
    shelf: Shelf, which: Which, wanted: Wanted, settings: PublishSettings, *, patient: bool = False
) -> Gathered:
    """The items of a feed, the newest first.

    `patient`: work out now what a story's reports say together, where that is not done yet.
    """
    saved = which.saved or wanted.saved
    link = saved.link if saved else None
    if which.updates:
        return Gathered(change_items(shelf.changes(wanted.filter), settings, link))
    stories = _stories(shelf, wanted.filter)
    ids = tuple(story.id for story in stories)
    told: dict[str, MergedStory] = shelf.told(ids)
    missing = [id_ for id_ in ids if id_ not in told]
    if patient:
        found = {id_: shelf.merged(id_) for id_ in missing}
        told |= {id_: merged for id_, merged in found.items() if merged is not None}
    return Gathered(story_items(stories, told, settings, link), complete=patient or not missing)


def _stories(shelf: Shelf, wanted: StoryFilter) -> list[StoryView]:
    """As many as are wanted: a page of the shelf may be shorter although others follow."""
    found: list[StoryView] = []
    for _ in range(MOST_PAGES):
        page = shelf.stories(msgspec.structs.replace(wanted, limit=wanted.limit - len(found)))
        found += page.stories
        if page.next is None or len(found) >= wanted.limit:
            break
        wanted = msgspec.structs.replace(wanted, after=page.next)
    return found
