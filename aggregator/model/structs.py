"""The base of values that pass between packages and processes, and into JSON columns.

All are frozen and hold plain values, so that tests can compare them, and they can be sent to a worker process and
replayed. Times are aware datetimes in UTC. Texts contain no NUL, no lone surrogate and no control character
except newline and tab; `extract.language.unicode.clean` ensures this where bytes are read.

    Source ──► Entry ──► Prepared (CleanArticle + Fingerprint) ──► Article ──► StoryView
"""

from typing import Any, dataclass_transform

import msgspec


class _FrozenMeta(msgspec.StructMeta):
    """Makes the fields of every subclass keyword-only, because msgspec does not inherit this setting."""

    def __new__(
        cls,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        **config: Any,
    ) -> Any:
        return super().__new__(
            cls, name, bases, namespace, **{"kw_only": True} | config
        )


@dataclass_transform(
    frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,)
)
class FrozenStruct(
    msgspec.Struct, metaclass=_FrozenMeta, frozen=True, omit_defaults=True
):
    """Base of values that pass between packages and processes, and into JSON columns.

    msgspec checks the result of a worker against its type when decoding it, so a compromised parser can send wrong
    values but never code.
    """
