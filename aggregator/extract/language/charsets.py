"""Decodes bytes of any charset, and tells texts from binary data.

Only codecs of text are used, because other codecs of Python can decompress without a limit.
"""

import codecs
import re
from contextlib import suppress

from aggregator.text.lines import word_set, word_table

# Each line has a codec and the labels that mean it in pages and feeds, in lower case and without punctuation. Latin-1
# and ASCII mean Windows-1252, as in browsers. Older East Asian charsets are decoded by their supersets.
_CODECS = word_table("""
    utf-8 utf8
    utf-16 utf16
    utf-16-le utf16le
    utf-16-be utf16be
    utf-32 utf32
    cp1252 ascii usascii latin1 iso88591 cp819 cp1252 windows1252
    iso8859-2 iso88592 latin2
    iso8859-3 iso88593
    iso8859-4 iso88594
    iso8859-5 iso88595
    iso8859-6 iso88596
    iso8859-7 iso88597
    iso8859-8 iso88598
    iso8859-9 iso88599 latin5
    iso8859-10 iso885910
    cp874 iso885911 tis620 windows874 cp874
    iso8859-13 iso885913
    iso8859-14 iso885914
    iso8859-15 iso885915 latin9
    iso8859-16 iso885916
    cp1250 cp1250 windows1250
    cp1251 cp1251 windows1251
    cp1253 cp1253 windows1253
    cp1254 cp1254 windows1254
    cp1255 cp1255 windows1255
    cp1256 cp1256 windows1256
    cp1257 cp1257 windows1257
    cp1258 cp1258 windows1258
    koi8-r koi8r
    koi8-u koi8u
    cp866 cp866 ibm866
    mac-roman macintosh macroman
    mac-cyrillic xmaccyrillic
    cp932 shiftjis sjis xsjis windows31j cp932 mskanji
    euc-jp eucjp xeucjp
    iso2022-jp iso2022jp
    gb18030 gb2312 gbk cp936 gb18030 xgbk euccn
    big5hkscs big5 big5hkscs cp950 xxbig5
    cp949 euckr cp949 ksc5601 ksc56011987 uhc windows949
""")
_MULTIBYTE = word_set("cp932 euc-jp iso2022-jp gb18030 big5hkscs cp949")
_WIDE = word_set("utf-16 utf-16-le utf-16-be utf-32")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: it begins with the same two bytes
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# One character of UTF-8 beyond ASCII (Unicode 16, table 3-7).
_UTF8_SEQUENCE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|"
    rb"\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|"
    rb"\xf4[\x80-\x8f][\x80-\xbf]{2}"
)
_FIRST_BYTE = re.compile(rb"[\xc2-\xf4](?=[\x80-\xbf])")
_ASCII = bytes(range(0x80))
# Python's escapes of bytes that are not UTF-8 ("surrogateescape"), with their characters in Windows-1252.
_ESCAPED = {
    0xDC00 + code: bytes([code]).decode("cp1252", "replace")
    for code in range(0x80, 0x100)
}
_SNIFFED_BYTES = 4096
_DETECTED_BYTES = 16384  # the detector tries every codec on the whole input
_INNER = (
    re.compile(
        rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']\s*([\w.:-]{1,40})""", re.IGNORECASE
    ),
    re.compile(
        rb"""<meta[^>]{0,400}?charset\s*=\s*+(?:["']\s*+)?([\w.:-]{1,40})""",
        re.IGNORECASE,
    ),
)


def decode(data: bytes, declared: str | None = None) -> str:
    """Decode `data` by its BOM, then by `declared` (a charset label), its own declaration, and detection.

    UTF-16 without a BOM is recognised by its zeros before any label counts. Another label on valid UTF-8 is ignored
    as a mistake, and so is a UTF-8 label on bytes that are mostly not UTF-8. Unknown labels are ignored. Never raises:
    undecodable bytes become U+FFFD, but in UTF-8 they become their characters in Windows-1252. Call `clean` on the
    result.
    """
    for bom, codec in _BOMS:
        if data.startswith(bom):
            if codec == "utf-8":
                return _mend(data.removeprefix(bom))
            return data.decode(codec, "replace")
    wide = _wide_by_zeros(data)
    if wide:
        return data.decode(wide, "replace")
    inner = (pattern.search(data, 0, _SNIFFED_BYTES) for pattern in _INNER)
    own = next((match[1].decode("ascii", "ignore") for match in inner if match), None)
    for label in (declared, own):
        codec_name = _CODECS.get(re.sub(r"[^a-z0-9]", "", (label or "").lower()[:40]))
        if codec_name and (text := _decode_as(data, codec_name)) is not None:
            return text
    mostly = _decode_as(data, "utf-8")
    if mostly is not None:
        return mostly
    import charset_normalizer

    candidates = sorted({*_CODECS.values()} - _WIDE - {"utf-8"})
    # A limited part around the first byte beyond ASCII, cut at a space
    start = max(0, len(data) - len(data.lstrip(_ASCII)) - 64)
    piece = data[start : start + _DETECTED_BYTES]
    if len(piece) == _DETECTED_BYTES:
        piece = piece.rpartition(b" ")[0] or piece
    best = charset_normalizer.from_bytes(piece, cp_isolation=candidates).best()
    return data.decode(best.encoding if best is not None else "cp1252", "replace")


def _wide_by_zeros(data: bytes) -> str | None:
    """Detect UTF-16 without a BOM: markup or Latin text has a zero in every second byte."""
    head = data[:256]
    if len(head) < 8 or b"\0" not in head:
        return None
    even = head[0::2]
    odd = head[1::2]
    for codec, first, second in (("utf-16-le", even, odd), ("utf-16-be", odd, even)):
        has_zeros = second.count(0) > 0.6 * len(second)
        if has_zeros and first.count(0) < 0.1 * len(first):
            return codec
    return None


def _decode_as(data: bytes, codec: str) -> str | None:
    """Return the text, or None if the label cannot be right."""
    if codec in _WIDE:
        # Real UTF-16 and UTF-32 were recognised before, so this label is wrong
        return None
    if codec != "iso2022-jp":  # its bytes are ASCII, so they are always valid UTF-8
        with suppress(UnicodeDecodeError):
            return data.decode()
    if codec == "utf-8":
        others, sequences = _UTF8_SEQUENCE.subn(b"", data)
        # The data is UTF-8 if its UTF-8 characters are at least as many as the other bytes beyond ASCII
        is_mostly_utf8 = 0 < sequences >= len(others.translate(None, _ASCII))
        return _mend(data) if is_mostly_utf8 else None
    text = data.decode(codec, "replace")
    if codec not in _MULTIBYTE:
        return text
    beyond_ascii = len(text) - len(text.encode("ascii", "ignore"))
    return text if text.count("\ufffd") <= 0.1 * beyond_ascii else None


def _mend(data: bytes) -> str:
    """Decode UTF-8 that has single bytes pasted from Windows-1252, or characters that were cut off.

    A stray byte that also begins characters of the text is the rest of a cut character, unless a letter follows.
    """
    text = data.decode("utf-8", "surrogateescape")
    if text.isascii() or not (first_bytes := set(_FIRST_BYTE.findall(data))):
        return text.translate(_ESCAPED)
    begins = "".join(chr(0xDC00 + byte[0]) for byte in sorted(first_bytes))
    cut = re.compile(f"[{begins}](?:[\udc80-\udcbf]{{1,2}}|(?![A-Za-z]))")
    return cut.sub("\ufffd", text).translate(_ESCAPED)


_MAGIC = (
    b"%PDF-", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"PK\x03\x04", b"\x1f\x8b", b"\x7fELF", b"RIFF", b"OggS",
    b"ID3", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!", b"\x28\xb5\x2f\xfd", b"\xd0\xcf\x11\xe0", b"MZ\x90",
    b"SQLite format 3", b"\0\0\x01\0", b"wOF",
)  # fmt: skip
_CONTROLS = bytes(c for c in range(32) if c not in b"\t\n\r\f\v\x1b")


def looks_binary(data: bytes) -> bool:
    """Return whether the first 8 KiB are an image, an archive, a document or noise, and not text in any charset."""
    head = data[:8192]
    if head.startswith(_MAGIC):
        return True
    if head.startswith(tuple(bom for bom, _ in _BOMS)) or _wide_by_zeros(head):
        return False
    controls = len(head) - len(head.translate(None, _CONTROLS))
    return controls > 0.02 * len(head)
