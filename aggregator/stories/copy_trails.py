"""Copy trails between outlets: who copied whom."""

from collections.abc import Iterable

import msgspec

from aggregator.model.core import ArticleView, CopyTrail


def between_outlets(trails: Iterable[CopyTrail], articles: Iterable[ArticleView]) -> tuple[CopyTrail, ...]:
    """Return the trails of these articles without reprints by the original's own outlet, which copied nobody.

    Unknown outlets are different ones. Trails without other reprints are left out.
    """
    keys = {article.id: article.outlet_key for article in articles}  # two outlets may have one name
    kept = []
    for trail in trails:
        own = keys.get(trail.article)
        reprints = tuple(one for one in trail.reprints if own is None or keys.get(one.article) != own)
        if reprints:
            kept.append(msgspec.structs.replace(trail, reprints=reprints))
    return tuple(kept)
