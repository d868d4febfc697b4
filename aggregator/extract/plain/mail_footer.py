"""Removes text below the content of a message: its signature, and the footer of a newsletter or mailing list.

A separator ("-- " of RFC 3676, or the rule of underscores that Mailman writes) begins a signature or footer only if
at most a few lines follow, and no prose except about the subscription. Otherwise it separates parts of the text. A
paragraph about the subscription is a footer only at the end of the message, and only with an address or a link.
"""

import re

from aggregator.text.lines import count_words, is_prose, one_line

_SEPARATOR = re.compile(r"^(?:--[ \t]?|[_=*-]{20,})\r?$", re.MULTILINE)
_DASHES = re.compile(r"--[ \t]?")
# A signature has at most this many lines if the space after its dashes is missing (RFC 3676, section 4.3)
_BARE_LINES = 4
# A signature and the footer of a mailing list have at most this many lines (chosen)
_MOST_LINES = 10
# A paragraph about the subscription has at most this many words (chosen)
_FOOTER_WORDS = 80
# Only the last separators are tried (limit)
_TRIED = 30
_BLOCK = re.compile(
    r"(</?(?:p|div|t[dhr]|table|li|[uo]l|center|footer|h[1-6]|br|hr)\b[^<>]{0,4000}>)",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=。)")
_TAG = re.compile(r"<[^<>]*+>?")
_ADDRESS = re.compile(r"https?://|\S@\S|<a\s", re.IGNORECASE)
_SUBSCRIPTION = re.compile(
    r"unsubscrib|you(?: are|'re)? receiv\w{1,20} this|abmelden|abbestell|abzumelden|sie erhalten diese|désabonn"
    r"|désinscri|vous recevez ce|darse? de baja|cancelar (?:la|su|tu) suscripción|recibe[ns]? este"
    r"|disiscri|annulla\w{0,20} l.iscrizione|ricevi questa|descadastr|cancelar a (?:inscrição|subscrição)"
    r"|afmelden|uitschrijven|u ontvangt deze|wypisa[ćc]|zrezygnowa|отписаться|вы получили это|відписатися"
    r"|avregistrera|avsluta prenumeration|avmeld|frameld|peruuta tilau|odhlásit|leiratkoz|dezabon|abonelikten"
    r"|διαγραφή από|配信停止|登録解除|退订|取消订阅|取消訂閱|수신 ?거부|구독 ?취소|إلغاء الاشتراك|لغو اشتراک"
    r"|huỷ đăng ký|berhenti berlangganan",
    re.IGNORECASE,
)


def without_signature(text: str) -> str:
    """Return a plain text without the signature and without the footer of a mailing list below it."""
    for separator in list(_SEPARATOR.finditer(text))[-_TRIED:]:
        above = text[: separator.start()].rstrip()
        below = text[separator.end() :]
        sign = separator[0].rstrip("\r")
        lines = sum(1 for line in below.split("\n") if line.strip())
        is_short = lines <= (_BARE_LINES if sign == "--" else _MOST_LINES)
        if not (above and is_short):
            continue
        is_signature = _DASHES.fullmatch(sign) or _ADDRESS.search(below)
        paragraphs = re.split(r"\n\s*\n", _SEPARATOR.sub("\n", below))
        has_prose = any(
            is_prose(paragraph) and not _is_footer(paragraph)
            for paragraph in paragraphs
        )
        if is_signature and not has_prose:
            return above
    return text


def without_footer(markup: str) -> str:
    """Return the HTML of a message without the sentences at its end that tell how to leave its list."""
    pieces = _BLOCK.split(markup)
    has_address = False
    for number in range(len(pieces) - 1, -1, -2):  # the tags are between these pieces
        piece = pieces[number]
        words = one_line(_TAG.sub(" ", piece))
        has_address = has_address or (
            bool(words) and _ADDRESS.search(piece) is not None
        )
        if has_address and _is_footer(words):
            # The sentences before the sentence about the subscription stay.
            before = _SUBSCRIPTION.split(piece, maxsplit=1)[0]
            ends = (end.end() for end in _SENTENCE_END.finditer(before))
            pieces[number] = before[: max(ends, default=0)]
        elif is_prose(words):
            break
    return "".join(pieces)


def _is_footer(paragraph: str) -> bool:
    return (
        bool(_SUBSCRIPTION.search(paragraph))
        and count_words(paragraph) <= _FOOTER_WORDS
    )
