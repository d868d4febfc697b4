"""A feed is believed when others confirmed its news on three days, and not for what it published alone."""

from collections.abc import Iterator
from random import Random

import pytest
from sqlalchemy import select

from aggregator.grouping.deletion.forget_articles import ForgetCommand
from aggregator.sources.parse.mail import entry_of_mail
from aggregator.store.engine.database import Database
from aggregator.store.stories.stream_history import senders_with_standing
from aggregator.store.tables import article, standing
from tests.support.articles import (
    FLOOD,
    FLOOD_ELSEWHERE,
    STRIKE,
    STRIKE_ELSEWHERE,
    record,
    trust,
)
from tests.support.polled_world import PolledWorld, Shown
from tests.support.polling import feed_source
from tests.support.rows import column, queried, read_by

HOSTS = ("gazette.example", "herald.example", "stranger.example")
EVENTS = (
    ("Levee on the Arrel breaks at Pennmouth", FLOOD, FLOOD_ELSEWHERE),
    ("Dock workers walk out in Sennick", STRIKE, STRIKE_ELSEWHERE),
    (
        "Ferry to Lind runs aground near Hollen",
        "The ferry to Lind ran aground on a sandbank near Hollen with ninety passengers on Friday.",
        "Ninety passengers of the ferry to Lind waited on a sandbank near Hollen for the tide on Friday.",
    ),
    (
        "Court stops the bypass of Arnsby",
        "The court stopped the bypass of Arnsby for its bats.",
        "",
    ),
)

RESIGNATION = """Tove Halvard, the minister of transport of Lornum, resigned on Thursday over a loan for the
harbour of Kestrel Bay. Auditors found that forty million crowns went to a company of her brother. She denied
that she had known of it. The prime minister thanked her for six years of work and named no successor.
Dredging of the harbour stops until the court has ruled, which shippers say will cost them the autumn."""


def senders(world: PolledWorld) -> set[str]:
    """The hosts of the feeds with standing."""
    hosts = {feed_source(f"http://{host}/feed").id: host for host in HOSTS}
    return {hosts[sender] for sender in read_by(world.database, senders_with_standing)}


@pytest.fixture
def world(database: Database) -> Iterator[PolledWorld]:
    with PolledWorld(database) as world:
        world.add(*HOSTS)
        world.poll(*HOSTS)
        yield world


def flood_of_two(world: PolledWorld) -> tuple[str, str, Shown]:
    """Let two feeds report the flood; its title, what one said, and what readers get of it."""
    title, said, said_elsewhere = EVENTS[0]
    world.publish("gazette.example", title, said)
    world.publish("herald.example", f"{title}, four dead", said_elsewhere)
    world.poll("gazette.example", "herald.example")
    return title, said, world.shown(world.story_of(title))


@pytest.mark.later
def test_three_days_of_confirmed_news_give_standing_and_articles_alone_do_not(
    world: PolledWorld,
) -> None:
    for title, said, said_elsewhere in EVENTS:
        world.publish("gazette.example", title, said)
        for number in range(12):
            about = f"Harmless item {number} of {title[:5]}"
            world.publish(
                "stranger.example",
                about,
                f"Nothing but {about.lower()} happened here today.",
            )
        world.poll("gazette.example", "stranger.example")
        world.run(1)
        world.report("herald.example", f"{title}, again", said_elsewhere or said)
        world.run(23)
    known = select(article.c.url).where(article.c.is_little_known.is_(False))
    addresses = {
        url.partition("//")[2] for url in queried(world.database, known).scalars()
    }
    assert addresses == {"gazette.example/3"}


def shown_of_copy(world: PolledWorld) -> tuple[str, str]:
    """What a story shows of whose text a copy with an advertisement comes later, and of what that is one."""
    title, said = "Minister of Lornum resigns over the harbour loan", RESIGNATION
    world.report("gazette.example", title, said)
    world.run(1)
    world.report(
        "stranger.example",
        title,
        f"{said} Golden Harbour pays forty free spins for a deposit.",
    )
    return world.shown(world.story_of(title)).text, str(
        world.originals()["stranger.example"]
    )


@pytest.mark.later
def test_who_copies_a_newcomer_on_three_days_is_not_believed_before_him(
    world: PolledWorld,
) -> None:
    for title, said, _ in EVENTS[:3]:
        world.report("gazette.example", title, said)
        world.run(1)
        world.report("stranger.example", title, said)
        world.run(23)
    shown, original = shown_of_copy(world)
    assert senders(world) == set()
    assert ("Golden Harbour" in shown, original) == (False, "gazette.example")


def test_who_was_first_has_standing_when_others_confirm_it_in_their_words(
    world: PolledWorld,
) -> None:
    for title, said, said_elsewhere in EVENTS[:3]:
        world.report("gazette.example", title, said)
        world.run(1)
        world.publish("stranger.example", title, said)
        world.publish("herald.example", f"{title}, again", said_elsewhere)
        world.poll("stranger.example", "herald.example")
        world.run(23)
    world.report(
        "herald.example",
        "Nothing",
        "Nothing else happened in the country on this quiet day.",
    )
    assert senders(world) == {"gazette.example"}


def test_a_copy_goes_by_standing_alone_not_before_its_original(
    world: PolledWorld,
) -> None:
    world.trust("stranger.example")
    shown, original = shown_of_copy(world)
    assert ("Golden Harbour" in shown, original) == (False, "gazette.example")


def write_mails(world: PolledWorld, title: str, *senders: str) -> None:
    """Let mails of these senders, which no server has confirmed, tell an event in words of their own."""
    head = "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
    for number, sender in enumerate(senders):
        words = next(said for known, said, _ in EVENTS if known == title).split()
        told = " ".join(Random(number).sample(words, min(70, len(words))))
        mail = f"From: {sender}\nSubject: {title}\n{head}\n{told}.\n".encode()
        world.rig.take(entry_of_mail(mail, source="letters", seen=world.time.now))


def test_mails_that_nobody_has_confirmed_are_one_outlet_together_and_no_report(
    world: PolledWorld,
) -> None:
    title, _, before = flood_of_two(world)
    write_mails(
        world,
        title,
        *(f"a{n}@evil.example" for n in range(8)),
        "Reuters",
        "medium.com/@anna",
    )
    after = world.shown(world.story_of(title))
    assert after.articles == before.articles + 10
    assert (after.outlets, after.reports) == (before.outlets + 1, before.reports)


def test_unconfirmed_mails_give_nobody_standing(world: PolledWorld) -> None:
    for title, said, _ in EVENTS[:3]:
        world.report("gazette.example", title, said)
        world.run(1)
        write_mails(world, title, "a@evil.example", "b@evil.example")
        world.run(23)
    world.report(
        "herald.example",
        "Nothing",
        "Nothing else happened in the country on this quiet day.",
    )
    assert senders(world) == set()


def test_a_feed_of_headlines_has_standing_after_three_days_and_counts(
    world: PolledWorld,
) -> None:
    world.trust("gazette.example", "herald.example")
    for title, said, said_elsewhere in EVENTS[:3]:
        world.report("stranger.example", f"{title}: {said[:60]}", "")
        world.run(1)
        world.publish("gazette.example", title, said)
        world.publish("herald.example", f"{title}, again", said_elsewhere)
        world.poll("gazette.example", "herald.example")
        world.run(23)
    title, said, _ = EVENTS[3]
    world.report("gazette.example", title, said)
    world.run(1)
    world.report("stranger.example", f"{title}: {said[:60]}", "")
    counted = select(article.c.counts_as_report).where(
        article.c.url.contains("stranger")
    )
    newest = counted.order_by(article.c.inbox_no.desc()).limit(1)
    assert "stranger.example" in senders(world)
    assert queried(world.database, newest).scalar_one()


def test_who_is_forgotten_has_no_standing_and_is_named_nowhere(
    world: PolledWorld,
) -> None:
    trust(world.database, ["letters Anna Holm", "letters Harbour Post"])
    for number, outlet in enumerate(("Anna Holm", "Anna Holm", "Harbour Post")):
        world.rig.take(
            record(
                "letters",
                str(number),
                f"Letter {number}",
                STRIKE[number * 90 :],
                outlet=outlet,
                published=None,
            )
        )
    ids = column(world.database, article.c.id)
    left = select(standing.c.sender).distinct()
    for name in ids[:2]:
        assert "letters Anna Holm" in queried(world.database, left).scalars().all()
        world.rig.pipeline.placer.erase(ForgetCommand(name=name))
    assert queried(world.database, left).scalars().all() == ["letters Harbour Post"]
