"""An entry whose words, or whose GUID, are replaced at its address and date is the same article.

The first rows are public reports of other readers' users, with invented words; the others are their siblings.
"""

import datetime as dt
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from aggregator.store.engine.database import Database
from tests.support.listed_feeds import Item, ListedFeeds

HOST = "kite.example"
BRIDGE = "bridge.test"
# Where a feed is, and its format; the addresses are those of HOST.
FEEDS = [
    (HOST, "rss"),
    *(
        pytest.param(host, form, marks=pytest.mark.later)
        for host, form in ((HOST, "atom"), (HOST, "json"), (BRIDGE, "rss"))
    ),
]


@pytest.fixture
def feeds(sqlite: Database) -> Iterator[ListedFeeds]:
    """On SQLite, where nothing but the rules is asked; what comes next is no first reading."""
    with ListedFeeds(sqlite) as feeds:
        feeds.add(HOST, BRIDGE)
        for host in (HOST, BRIDGE):
            feeds.poll(host, OTHER)
        yield feeds


@pytest.fixture
def everywhere(database: Database) -> Iterator[ListedFeeds]:
    """On both databases."""
    with ListedFeeds(database) as feeds:
        feeds.add(HOST)
        feeds.poll(HOST, OTHER)
        yield feeds


class Words(NamedTuple):
    """A headline and a text."""

    title: str
    text: str


OTHER = Item(
    "Bakers of Tarn strike for sleep",
    "Nobody wants to knead at two in the morning any more, their union says.",
    "other",
    f"http://{HOST}/bakers",
    5,
)
REPLACED = {
    "more soon": (
        Words(
            "Explosion in Lindmar",
            "There has been an explosion in Lindmar. More soon.",
        ),
        Words(
            "Four hurt as gas main bursts under market hall",
            "A gas main burst under the market hall of Lindmar on Saturday morning and tore a hole into its "
            "floor. Four people were taken to hospital, none of them in danger. The fire service cleared the "
            "square and 200 residents spent the day in a school. The gas company says that the pipe was laid "
            "in 1962 and was to be replaced next spring.",
        ),
    ),
    "decides": (
        Words(
            "Bersk decides about its tannery",
            "The council of Bersk will decide on Monday whether the old tannery is pulled down. Its owner "
            "wants to build flats there. Friends of the building have collected 3,000 names and call it the "
            "last witness of a trade that fed the town for centuries. The mayor has not said how he will "
            "vote.",
        ),
        Words(
            "Tannery of Bersk is saved by one vote",
            "After six hours of debate the tannery of Bersk is saved: a majority of nine to eight refused to "
            "let its owner pull it down on Monday night. Cheers broke out on the stairs. The owner, who had "
            "hoped for forty flats, left without a word; his lawyer spoke of damages.",
        ),
    ),
    "more soon, German": (
        Words(
            "Explosion in Lindmar",
            "In Lindmar hat es eine Explosion gegeben. Mehr in Kürze.",
        ),
        Words(
            "Vier Verletzte nach Bruch einer Gasleitung",
            "Unter der Markthalle ist am Samstagmorgen eine Gasleitung geborsten und hat ein Loch in den "
            "Boden gerissen. Vier Menschen kamen ins Krankenhaus, keiner von ihnen schwebt in Lebensgefahr. "
            "Die Feuerwehr räumte den Platz, und 200 Anwohner verbrachten den Tag in einer Schule. Das Rohr "
            "stammt nach Angaben des Versorgers aus dem Jahr 1962.",
        ),
    ),
    "decides, French": (
        Words(
            "Bersk décide du sort de sa tannerie",
            "Le conseil de Bersk doit décider lundi si la vieille tannerie sera démolie. Son propriétaire "
            "veut y construire des logements. Les amis du bâtiment ont réuni 3 000 signatures, et le maire "
            "n'a pas dit comment il voterait.",
        ),
        Words(
            "La tannerie est sauvée à une voix près",
            "Après six heures de débat, une majorité de neuf contre huit a refusé lundi soir la démolition "
            "voulue par le propriétaire. Des cris de joie ont éclaté dans l'escalier. Celui-ci, qui espérait "
            "quarante logements, est parti sans un mot ; son avocat a parlé de dommages.",
        ),
    ),
    "more soon, Russian": (
        Words(
            "Взрыв в Линдмаре",
            "В Линдмаре произошёл взрыв. Подробности позже.",
        ),
        Words(
            "Четыре человека пострадали при разрыве газопровода",
            "В субботу утром под крытым рынком лопнула газовая труба и пробила дыру в полу. Четверо "
            "пострадавших доставлены в больницу, их жизни ничто не угрожает. Пожарные очистили площадь, а "
            "двести жителей провели день в школе. Трубу проложили в 1962 году и собирались заменить весной.",
        ),
    ),
}
WITHDRAWN = {
    "we have deleted": Words(
        "Correction",
        "We have deleted this article because we confused two persons of the same name.",
    ),
    "withdrawn": Words(
        "Withdrawn: choir master of Sund",
        "This article has been withdrawn because its facts could not be confirmed.",
    ),
    "retracted": Words(
        "Retraction",
        "We have retracted this report. Its author did not speak to those whom it names.",
    ),
    "German": Words(
        "Artikel zurückgezogen",
        "Wir haben diesen Artikel gelöscht, weil wir zwei Menschen gleichen Namens verwechselt haben.",
    ),
    "French": Words(
        "Article retiré",
        "Nous avons retiré cet article parce que nous avons confondu deux personnes du même nom.",
    ),
}
ACCUSATION = Words(
    "Choir master of Sund accused of theft",
    "The choir master of Sund is accused of taking money from the till of the choir, members say.",
)


def said(words: Words, guid: str | None = "k80") -> Item:
    return Item(words.title, words.text, guid, f"http://{HOST}/article", 1)


def listing(feeds: ListedFeeds) -> list[tuple[str, str]]:
    """Return title and text of all articles but the other one."""
    return [
        (article.title, " ".join(article.text.split()))
        for article in feeds.articles()
        if article.title != OTHER.title
    ]


@pytest.mark.parametrize(("host", "form"), FEEDS)
@pytest.mark.parametrize("name", REPLACED)
def test_a_text_that_is_replaced_at_its_guid_address_and_date_is_the_same_article(
    feeds: ListedFeeds, name: str, host: str, form: str
) -> None:
    before, after = REPLACED[name]
    feeds.poll(host, said(before), OTHER, form=form)
    (first,) = (story for story in feeds.stories() if story.title == before.title)
    feeds.time.run(2 * 3600)
    for _ in range(2):
        feeds.poll(host, said(after), OTHER, form=form)
        assert listing(feeds) == [after]
    newest = feeds.stories()[0]
    assert (newest.id, newest.title, newest.article_count) == (first.id, after.title, 1)


def test_the_first_full_text_of_an_article_brings_its_story_up_once(
    everywhere: ListedFeeds,
) -> None:
    before, after = REPLACED["more soon"]
    everywhere.poll(HOST, said(before), OTHER)
    everywhere.time.run(2 * 3600)
    everywhere.poll(HOST, said(after), OTHER)
    bumped = everywhere.stories()[0]
    assert bumped.title == after.title
    assert bumped.updated >= everywhere.time.now - dt.timedelta(minutes=1)
    everywhere.time.run(2 * 3600)
    everywhere.poll(HOST, said(after), OTHER)
    assert everywhere.stories()[0].updated == bumped.updated


@pytest.mark.parametrize(("host", "form"), FEEDS)
@pytest.mark.parametrize("name", WITHDRAWN)
def test_a_withdrawal_replaces_what_it_withdraws_and_is_said_first(
    feeds: ListedFeeds, name: str, host: str, form: str
) -> None:
    withdrawal = WITHDRAWN[name]
    feeds.poll(host, said(ACCUSATION), OTHER, form=form)
    for _ in range(2):
        feeds.poll(host, said(withdrawal), OTHER, form=form)
        assert listing(feeds) == [withdrawal]
    (story,) = (story for story in feeds.stories() if story.title != OTHER.title)
    told = feeds.told(story)
    assert withdrawal.text.split(".")[0] in told.lead[0].text
    assert "accused" not in str(told)


def test_a_withdrawal_is_no_independent_report(feeds: ListedFeeds) -> None:
    feeds.poll(HOST, said(ACCUSATION), OTHER)
    feeds.add("valley.example")
    report = Item(
        "Choir master of Sund is accused of theft",
        "Members of the choir of Sund accuse their choir master of taking money from its till. The choir "
        "master of Sund denies it, and the members of the choir want to see the books of the last year.",
        "v",
        "http://valley.example/choir",
        1,
    )
    feeds.poll("valley.example", report)
    feeds.poll(HOST, said(WITHDRAWN["we have deleted"]), OTHER)
    counts = [
        story.report_count for story in feeds.stories() if story.title != OTHER.title
    ]
    assert sum(counts) == 1


HEADLINES = {
    "English": (
        Words(
            "Glassworks to reopen after fire",
            "The glassworks in Morn, which burned down in March, will reopen in spring with a new furnace, "
            "its owner said.",
        ),
        Words(
            "Glassworks fire: furnace arrives from abroad",
            "The glassworks in Morn, which burned down in March, has received a new furnace, its owner said. "
            "It will reopen in spring.",
        ),
        Words(
            "How a village is getting its glassworks back",
            "The glassworks in Morn burned down in March. Now a new furnace has arrived, and it will reopen "
            "in spring. What do the workers say?",
        ),
    ),
    "German": (
        Words(
            "Glashütte öffnet nach Brand wieder",
            "Die Glashütte in Morn, die im März abbrannte, öffnet im Frühjahr mit einem neuen Ofen wieder, "
            "sagt ihr Besitzer.",
        ),
        Words(
            "Brand der Glashütte: Ofen kommt aus dem Ausland",
            "Die Glashütte in Morn, die im März abbrannte, hat einen neuen Ofen bekommen. Im Frühjahr öffnet "
            "sie wieder.",
        ),
        Words(
            "Wie ein Dorf seine Glashütte zurückbekommt",
            "Die Glashütte in Morn brannte im März ab. Jetzt ist ein neuer Ofen da. Was sagen die Arbeiter?",
        ),
    ),
    "Spanish": (
        Words(
            "La fábrica de vidrio reabrirá tras el incendio",
            "La fábrica de vidrio de Morn, que ardió en marzo, reabrirá en primavera con un horno nuevo, "
            "dijo su dueño.",
        ),
        Words(
            "Llega de fuera el horno de la fábrica de vidrio",
            "La fábrica de vidrio de Morn, que ardió en marzo, ya tiene un horno nuevo y reabrirá en "
            "primavera.",
        ),
        Words(
            "Cómo un pueblo recupera su fábrica de vidrio",
            "La fábrica de vidrio de Morn ardió en marzo. Ahora ha llegado un horno. ¿Qué dicen los obreros?",
        ),
    ),
}


@pytest.mark.parametrize(("host", "form"), FEEDS)
@pytest.mark.parametrize("language", HEADLINES)
def test_a_guid_that_follows_the_headline_with_one_address_is_one_article(
    feeds: ListedFeeds, language: str, host: str, form: str
) -> None:
    """The feed lists nothing else, and its addresses have a parameter."""
    link = f"https://www.{HOST}/en/morn/a-71234567?maca=en-rss-en-top-1022-rdf"
    for number, words in enumerate(HEADLINES[language]):
        item = said(words, f"hash{number}abc")._replace(link=link)
        feeds.poll(host, item, form=form)
        assert listing(feeds) == [words]
    titles = {story.title for story in feeds.stories()}
    assert titles == {HEADLINES[language][-1].title, OTHER.title}
