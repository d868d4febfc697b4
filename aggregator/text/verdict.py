"""Is this an article? The verdict on what was found, with the reason in the user's words.

Only an article's own kind is refused: walls, lists, error pages. A headline without text is a stub, which is
grouped by its headline.
"""

import re

import msgspec

from aggregator.model import Verdict
from aggregator.text.limits import TextRules
from aggregator.text.lines import count_words

_CONSENT = re.compile(
    r"\b(?:we (?:and our (?:\d+ )?partners|use cookies)|accept (?:all )?cookies|cookie (?:settings|"
    r"preferences|policy|consent)|"
    r"manage (?:your )?(?:consent|preferences|choices)|your privacy|privacy choices|gdpr|alle akzeptieren|"
    r"cookies? akzeptieren|"
    r"zustimmen und weiter|einwilligung|datenschutz(?:einstellungen|erklärung)|accepter (?:et|les cookies)|"
    r"continuer sans accepter|"
    r"gérer (?:mes|vos) (?:choix|préférences)|aceptar (?:y|las) |aceptar cookies|configurar cookies|"
    r"accetta(?: tutti)? (?:i )?cookie|"
    r"aceitar (?:todos os )?cookies|cookies accepteren|akkoord)\b",
    re.IGNORECASE,
)
_PAYWALL = re.compile(
    r"\b(?:subscribe (?:now |today )?to (?:continue|read|unlock|access)|"
    r"(?:to )?continue reading,? (?:this article|subscribe|sign)|"
    r"already (?:a )?subscri(?:ber|bed)|this (?:article|content|story) is (?:only |exclusively )?(?:for|"
    r"available to) (?:our )?subscribers|"
    r"subscribers? only|unlock (?:this|the full) (?:article|story)|start your (?:free )?trial|"
    r"jetzt (?:weiterlesen|abonnieren|testen)|"
    r"(?:mit|dieser artikel ist) .{0,20}\babonnenten\b|réservé (?:à nos|aux) abonnés|"
    r"il vous reste \d+ ?% de cet article|déjà abonné|"
    r"(?:exclusivo|solo|sólo) para suscriptores|contenuto riservato agli abbonati|exclusivo para assinantes|"
    r"alleen voor abonnees)\b",
    re.IGNORECASE,
)
_BLOCK = re.compile(
    r"\b(?:access denied|403 forbidden|are you (?:a )?(?:human|robot)|verify (?:that )?you are (?:a )?human|"
    r"checking your browser|"
    r"enable javascript(?: and cookies)? to continue|just a moment\b|attention required|captcha|"
    r"unusual (?:traffic|activity)|"
    r"request blocked|you have been blocked|bot detection|ddos protection|pardon our interruption|"
    r"too many requests|"
    r"zugriff verweigert|accès refusé|acceso denegado)\b",
    re.IGNORECASE,
)
_ERROR_TITLE = re.compile(
    r"(?:(?:error )?(?:404|410|500|502|503)\b.{0,40}|(?:page|article|content|seite|página|"
    r"pagina) (?:not found|nicht gefunden|no encontrada|"
    r"non trovata|não encontrada)|page introuvable|.{0,20}\bnot found|service unavailable|bad gateway|"
    r"internal server error)",
    re.IGNORECASE,
)


class Judged(msgspec.Struct, frozen=True):
    """A verdict with its reason; the reason is None for "ok"."""

    verdict: Verdict
    reason: str | None = None


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What a web page shows around its text; walls and lists are told by it."""

    title: str
    opening: str = ""  # the first words that a visitor sees
    found: str = ""  # the text with the notices in it
    words: int = 0  # of it, links included
    link_share: float = 0.0  # of them in lines that are links, 0 to 1


def judge(title: str, text: str, rules: TextRules, page: Surroundings | None = None) -> Judged:
    """The verdict on clean `title` and `text`; `page` when they come from a web page, which may be a wall."""
    words = count_words(text)
    if page is not None and words < rules.stub_words:
        wall = _wall(page.title, f"{text}\n{page.opening}", words, rules)
        if wall is not None:
            return wall
    if not title and not any(c.isalnum() for c in text):
        return Judged("empty", "neither a headline nor a text")
    if page is not None:
        refused = _refused_page(page, text, words, rules)
        if refused is not None:
            return refused
    if words >= rules.stub_words:
        return Judged("ok")
    if title:
        return Judged("stub", "a headline with hardly any text" if words else "a headline without text")
    return Judged("too_short", f"{words} words and no headline")


def _refused_page(page: Surroundings, text: str, words: int, rules: TextRules) -> Judged | None:
    wall = _wall(page.title, page.found or text, words, rules) if words <= rules.wall_words else None
    if wall is not None:
        return wall
    if page.link_share >= rules.list_link_share and page.words >= rules.list_link_words:
        return Judged("list", "most of it is links to other articles")
    return None


def _wall(title: str, text: str, words: int, rules: TextRules) -> Judged | None:
    both = f"{title}\n{text}"
    if _BLOCK.search(both) and (words < rules.block_words or _BLOCK.search(title)):
        return Judged("block", "the site answered with a page against robots")
    if len(_CONSENT.findall(text)) >= (2 if words > 60 else 1):
        return Judged("consent", "the site answered with its cookie dialogue")
    if _PAYWALL.search(both) and words < rules.short_wall_words:
        return Judged("paywall", "the text is for subscribers")
    if _ERROR_TITLE.fullmatch(title) and words < rules.short_wall_words:
        return Judged("not_article", "the page says that it was not found or failed")
    return None
