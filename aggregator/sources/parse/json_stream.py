"""JSON of any length, a piece at a time: the elements of a list, or values one after the other.

Only brackets, commas and strings are looked at. Each piece is decoded by whoever takes it, so a broken one
harms no other as long as its brackets agree.
"""

import io
import re
from collections.abc import Iterator

_READ_BYTES = 65_536
_SILENT_BYTES = 1_048_576
_SILENT_SIGNS = 100_000
# A string that does not end in what is there reaches to the end of it.
_SIGN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[][{},]', re.DOTALL)
_SIGN_INSIDE = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[][{}]', re.DOTALL)  # no comma ends it
_OPENING, _CLOSING = b"[{", b"]}"
_BETWEEN = b" \t\r\n\0,"
_GAP = re.compile(rb"[ \t\r\n\0,]+")


def pieces(stream: io.BufferedReader, limit_bytes: int) -> Iterator[bytes | None]:
    """The elements of the list that `stream` begins with, else the values that stand in it.

    None for one longer than `limit_bytes`; no more than twice that is ever held. What stands behind
    the list is passed over; what is not ended is given as far as it goes. b"" is given now and then where no
    piece has come for long, so that who reads may do something else.
    """
    yield from _Splitter(stream, limit_bytes).split()


class _Splitter:
    def __init__(self, stream: io.BufferedReader, limit_bytes: int) -> None:
        self._stream = stream
        self._limit = limit_bytes
        self._held = bytearray()  # from the beginning of a piece on
        self._at = 0  # how far it was looked at
        self._depth = 0
        self._is_too_long = False
        self._silent_bytes = self._silent_signs = 0  # read since something was given

    def split(self) -> Iterator[bytes | None]:
        self._fill()
        opening = self._held.find(b"[")
        is_list = opening >= 0 and not self._held[:opening].strip(b" \t\r\n\0\xef\xbb\xbf")
        if is_list:
            self._drop(opening + 1)
        while True:
            self._silent_signs += 1
            if self._silent_bytes >= _SILENT_BYTES or self._silent_signs >= _SILENT_SIGNS:
                self._silent_bytes = self._silent_signs = 0
                yield b""
            if (
                not (self._at or self._is_too_long)
                and self._held[:1] in _BETWEEN
                and (gap := _GAP.match(self._held))
            ):
                self._drop(gap.end())
            found = (_SIGN_INSIDE if self._depth > 0 else _SIGN).search(self._held, self._at)
            if found is None or (found.end() == len(self._held) and found[0][:1] == b'"'):
                # Nothing more to see, or a string of which the end is not here yet.
                self._at = len(self._held) if found is None else found.start()
                if not self._fill():
                    break
                continue
            self._at = found.end()
            sign = found[0]
            if sign in _OPENING:
                self._depth += 1
            elif sign in _CLOSING:
                self._depth -= 1
                if is_list and self._depth < 0:
                    yield from self._piece(found.start())
                    return
                if not is_list and self._depth <= 0:
                    yield from self._piece(found.end())
            elif sign == b"," and is_list and self._depth <= 0:
                yield from self._piece(found.start())
        yield from self._piece(len(self._held))

    def _fill(self) -> bool:
        """Read on, twice as much each time: a long string must not be looked at again and again."""
        if len(self._held) > self._limit:
            self._is_too_long = True
            del self._held[: self._at]
            self._at = 0
            if len(self._held) > self._limit:  # one string: its first and, as an escape, its last sign count
                is_escape = (len(self._held) - len(self._held.rstrip(b"\\"))) % 2 == 1
                self._held[1:] = b"\\" if is_escape else b""
        more = self._stream.read(max(_READ_BYTES, len(self._held)))
        self._held += more
        self._silent_bytes += len(more)
        return bool(more)

    def _piece(self, end: int) -> Iterator[bytes | None]:
        piece = bytes(self._held[:end]).strip(_BETWEEN)
        is_too_long, self._is_too_long = self._is_too_long or len(piece) > self._limit, False
        self._drop(max(end, self._at))
        self._depth = 0
        if is_too_long or piece:
            self._silent_bytes = self._silent_signs = 0
            yield None if is_too_long else piece

    def _drop(self, count: int) -> None:
        del self._held[:count]
        self._at = 0
