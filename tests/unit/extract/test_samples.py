"""The sample articles: every one is read as a person would read it."""

import datetime as dt
import re
from pathlib import Path

import pytest

from aggregator.config.tuning import effective_tuning
from aggregator.extract.article import clean_article
from aggregator.extract.lines import count_words, ends_sentence
from aggregator.model.core import CleanArticle, Entry

ARTICLES = Path(__file__).parents[3] / "examples" / "articles"
SEEN = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
ALL_TUNING = effective_tuning()

# By path: headline, time of publication, byline.
EXPECTED: dict[str, tuple[str, str, str | None]] = {
    "Arrel Valley Gazette/kestrow-toll-rises-siren-log.txt": (
        "Siren log from Kestrow dam was blank, says mayor as death toll rises to six",
        "2026-10-12 17:30",
        "Joss Penhallick and Wenna Carbis",
    ),
    "Arrel Valley Gazette/night-the-river-came.txt": (
        '"We heard it before we saw it": the night the Arrel took the Low Quays',
        "2026-10-11 11:20",
        "Joss Penhallick",
    ),
    "Daily Siren/inferno-at-the-docks.txt": (
        "INFERNO AT THE DOCKS",
        "2026-10-21 11:05",
        "Siren reporters",
    ),
    "Daily Siren/parrot-calls-fire-brigade.txt": (
        "POLLY-CE, HELP! Chatty parrot calls out fire crew by ringing like an alarm",
        "2026-11-04 09:30",
        "Dex Mallory",
    ),
    "Daily Siren/wall-of-water-horror.txt": (
        "WALL OF WATER HORROR: Five dead as dam bursts on sleeping river town",
        "2026-10-11 08:02",
        "Dex Mallory",
    ),
    "Freight and Tariff/seventh-package-torvask-timber.txt": (
        "Seventh tariff package: Aldine Union puts 25 per cent on timber, glass and machine tools "
        "from Torvask",
        "2026-11-02 18:05",
        "Mirela Osk",
    ),
    "Freight and Tariff/sixth-package-torvask-steel.txt": (
        "Aldine Union adopts sixth tariff package against Torvask: 18 per cent on steel and fertiliser",
        "2026-10-19 15:20",
        "Mirela Osk",
    ),
    "Grimmhafener Tageblatt/faehren-bleiben-im-hafen.txt": (
        "Warnstreik bei der Nordlinie: Fähren nach Lornum bleiben zwei Tage im Hafen",
        "2026-10-29 06:12",
        "Imke Tadsen",
    ),
    "Halverne Evening Echo/eastmole-holds-its-breath.txt": (
        "Eastmole holds its breath for nine hours as Corvane tanks burn",
        "2026-10-21 16:45",
        "Lettice Corrow",
    ),
    "Halverne Evening Echo/museum-of-lost-luggage-opens.txt": (
        "Four thousand suitcases and one stuffed pike: the Museum of Lost Luggage opens its doors",
        "2026-10-16 15:15",
        "Lettice Corrow",
    ),
    "Halverne Evening Echo/sorley-sends-harbour-park-wild.txt": (
        "Sorley sends Harbour Park wild as United topple table-toppers",
        "2026-11-07 18:30",
        "Gwen Tressider",
    ),
    "Le Fanal de Valcendre/ferrandin-cherche-allies.txt": (
        "Maud Ferrandin, la victoire et maintenant l’addition",
        "2026-11-16 07:15",
        "Noé Castagnier",
    ),
    "Le Quotidien de Valcendre/alliance-des-lacs-en-tete.txt": (
        "Législatives : l’Alliance des Lacs arrive en tête mais manque la majorité de peu",
        "2026-11-15 22:40",
        "Solène Aubrac et Hippolyte Marsan",
    ),
    "Lornumer Wattkurier/insel-ohne-faehre.txt": (
        "Leere Regale ab Freitag? Wie die Insel den Fährstreik erlebt",
        "2026-10-29 14:30",
        "Ocke Jannsen",
    ),
    "Lowland Post/court-polder-mill-ruling.txt": (
        "Old mill may keep its wheel: supreme court rules for miller after nine-year quarrel",
        "2026-10-06 16:25",
        "Gudrun Aske",
    ),
    "Lowland Post/fire-at-halverne-solvent-works.txt": (
        "Sixteen hurt in fire at Halverne solvent works",
        "2026-10-21 10:30",
        None,
    ),
    "Lowland Post/local-girl-steam-planet.txt": (
        "Polderby physicist helps to find a steaming planet",
        "2026-11-06 08:05",
        "Maartje Oldorp",
    ),
    "Lowland Post/sixth-round-of-duties-explained.txt": (
        "Dearer fertiliser from December: what the sixth round of Union tariffs means for the lowlands",
        "2026-10-20 09:40",
        "Gudrun Aske",
    ),
    "Lowland Post/timber-duty-polderby-builders.txt": (
        "Roof trusses, window panes, lathes: builders count the cost of tariff round number seven",
        "2026-11-03 10:15",
        "Gudrun Aske and Piet Solberg",
    ),
    "Marenholt Courier/astronomers-find-water-on-distant-planet.txt": (
        "Astronomers in Ilvara detect signs of water in the air of a nearby planet",
        "2026-11-05 11:30",
        "Cecily Vantongeren",
    ),
    "Marenholt Courier/central-bank-holds-rate.txt": (
        "Central bank leaves key rate at 3.25 per cent and hints at a cut in spring",
        "2026-11-12 14:45",
        "Rupert Galdine",
    ),
    "Marenholt Courier/chemical-fire-in-halverne-harbour.txt": (
        "Chemical fire in Halverne harbour leaves 16 injured and thousands indoors",
        "2026-10-21 12:20",
        None,
    ),
    "Marenholt Courier/kestrow-dam-gives-way.txt": (
        "Kestrow Dam gives way above Tarrowmere, killing at least four",
        "2026-10-11 07:15",
        "Hanneke Strand and Oswin Tarle",
    ),
    "Marenholt Courier/union-imposes-duties-on-steel.txt": (
        "Vessaly abstains as Union hits Torvask with steel duties",
        "2026-10-20 06:00",
        "Leopold Haight",
    ),
    "Matchday Mercury/halverne-united-calmouth.txt": (
        "Halverne United 2-1 Calmouth City: Sorley's late header sinks the leaders",
        "2026-11-07 17:12",
        "Kit Ambrose",
    ),
    "Matchday Mercury/thornwick-rovers-port-sennick.txt": (
        "Thornwick Rovers 2-1 Port Sennick: ten-man Rovers grab late winner",
        "2026-11-07 17:20",
        "Saskia Bohm",
    ),
    "Nordkanal/tarifkonflikt-nordlinie.txt": (
        "Tarifkonflikt: Reederei Nordlinie will Streik gerichtlich stoppen lassen",
        "2026-10-29 17:45",
        None,
    ),
    "Orbit and Lens/tavel-19-b-water-vapour.txt": (
        "Water vapour around Tavel 19 b: a careful team makes a bold claim",
        "2026-11-05 10:00",
        "Idris Fennimore",
    ),
    "Radio Vessaly/halverne-chemical-plant-fire.txt": (
        "Environmental office lifts warning after fire at chemical works in Halverne",
        "2026-10-21 13:30",
        "Radio Vessaly newsroom, Halverne studio",
    ),
    "Radio Vessaly/lynx-cubs-sallow-hills.txt": (
        "First lynx cubs for 140 years photographed in the Sallow Hills",
        "2026-10-26 07:20",
        "Radio Vessaly newsroom, Thornwick studio",
    ),
    "Radio Vessaly/tarrowmere-flood-what-is-known.txt": (
        "Dam breach floods Tarrowmere: rescue teams search for eleven missing people",
        "2026-10-11 06:30",
        "Radio Vessaly newsroom",
    ),
    "Radio Vessaly/union-tariffs-timber-machines.txt": (
        "Nine to four: Aldine Union agrees tariffs on timber, glass and machines despite resistance",
        "2026-11-02 21:10",
        "Radio Vessaly newsroom, Sandemar studio",
    ),
    "Thornwick Chronicle/quennell-waits-113-games.txt": (
        "He waited 113 games: Quennell is the toast of the Tannery",
        "2026-11-07 19:00",
        "Barnaby Ishe",
    ),
    "Vessaly Now/live-blog-tarrowmere.txt": (
        "Dam break at Kestrow: all developments from Tarrowmere in the live blog",
        "2026-10-11 00:45",
        "Vessaly Now live desk",
    ),
    "Vessaly Now/stay-indoors-halverne-fire.txt": (
        '"Stay indoors": what we know about the plant fire in Halverne',
        "2026-10-21 14:10",
        None,
    ),
    "Water and Works/kestrow-embankment-failure.txt": (
        "Kestrow: first indications point to internal erosion in 1962 embankment",
        "2026-10-11 16:40",
        "Dr Ulla Verhoff",
    ),
}
# Lines that end like a sentence and are none of the article's.
DATE_LINE = re.compile(r".{0,24}\b2026\b.{0,20}")
FURNITURE = {"Related articles: Toe drains, a neglected art | Who pays for old dams?", "Audio | 2 Min."}
# Reprints of one agency's text; the fourth names no agency.
REPRINTS = {
    "Daily Siren/inferno-at-the-docks.txt": "MNA",
    "Lowland Post/fire-at-halverne-solvent-works.txt": "MNA",
    "Marenholt Courier/chemical-fire-in-halverne-harbour.txt": "MNA",
    "Vessaly Now/stay-indoors-halverne-fire.txt": None,
}
every_sample = pytest.mark.parametrize("name", EXPECTED)


def read(name: str) -> CleanArticle:
    path = ARTICLES / name
    entry = Entry(
        source="sample", text=path.read_text(encoding="utf-8"), is_saved_text=True, outlet=path.parent.name
    )
    return clean_article(entry, None, None, None, SEEN, ALL_TUNING)


def lines_of(name: str) -> list[str]:
    raw = (line.strip() for line in (ARTICLES / name).read_text(encoding="utf-8").split("\n"))
    return [line for line in raw if line]


def test_no_sample_is_forgotten() -> None:
    assert {f"{path.parent.name}/{path.name}" for path in ARTICLES.glob("*/*.txt")} == set(EXPECTED)


@every_sample
def test_headline_time_and_author(name: str) -> None:
    title, published, author = EXPECTED[name]
    article = read(name)
    assert article.title == title
    assert article.published is not None
    assert article.published.time == dt.datetime.fromisoformat(published).replace(tzinfo=dt.UTC)
    assert article.published.precision == "minute"
    assert article.author == author
    assert article.verdict == "ok"


@every_sample
def test_every_sentence_is_kept_and_nothing_else(name: str) -> None:
    article = read(name)
    lines = lines_of(name)
    prose = [
        line
        for line in lines
        if ends_sentence(line)
        and count_words(line) >= 6
        and line not in (article.title, *FURNITURE)
        and not DATE_LINE.fullmatch(line)
    ]
    standfirst = ["Blasts rock city as chemical tanks go up in flames"]
    kept = [line for line in article.text.split("\n") if line not in standfirst]
    assert kept == prose


@every_sample
def test_the_agency_of_reprints(name: str) -> None:
    wire = read(name).wire
    if name not in REPRINTS:
        assert wire is None
        return
    assert wire is not None
    assert wire.agency == REPRINTS[name]
    assert wire.confidence < 0.9


@every_sample
def test_the_lead_is_the_articles_own(name: str) -> None:
    article = read(name)
    assert article.lead
    assert all(part in article.text for part in article.lead.split(". ")[:1])


def test_a_live_blog_is_recognised() -> None:
    assert [name for name in EXPECTED if read(name).is_container] == ["Vessaly Now/live-blog-tarrowmere.txt"]
    assert len(read("Vessaly Now/live-blog-tarrowmere.txt").timed) >= 8
