"""Copy trails between outlets: who copied whom."""

from collections.abc import Iterable

import msgspec

from aggregator.model.core import CopyTrail


def between_outlets(trails: Iterable[CopyTrail]) -> tuple[CopyTrail, ...]:
    """Return the trails without reprints by the original's own outlet, which copied nobody.

    Unknown outlets are different ones. Trails without other reprints are left out.
    """
    kept = []
    for trail in trails:
        reprints = tuple(one for one in trail.reprints if trail.outlet is None or one.outlet != trail.outlet)
        if reprints:
            kept.append(msgspec.structs.replace(trail, reprints=reprints))
    return tuple(kept)
