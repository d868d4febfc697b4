"""The command `explain`."""

from typing import TYPE_CHECKING, Annotated

from aggregator.cli import output as show
from aggregator.cli.command_context import Context
from aggregator.cli.output import argument
from aggregator.model.errors import UsageError

if TYPE_CHECKING:
    from aggregator.grouping.corrections.explained import Explanation
from aggregator.cli.stories_command import hint


def explain(
    context: Context,
    article: Annotated[
        str,
        argument(
            "ARTICLE",
            "Explain the article with this id or address, or the storyline of the story with this id.",
        ),
    ],
    other: Annotated[
        str, argument("ANOTHER", "Compare it with the article with this id or address.")
    ] = "",
    format_: show.TextOrJson = "text",
) -> None:
    """Explain why an article is in its story.

    With two articles: why they are in the same story, or why not. With a story: how near it is to the other
    stories of its storyline. `aggregator story ID` and `aggregator search TEXT` show the ids of articles.

    \b
    Examples:
      aggregator explain ARTICLE
      aggregator explain ARTICLE ANOTHER-ARTICLE
      aggregator explain STORY
    """
    from aggregator.grouping.corrections.explanation import (
        explain_article,
        explain_storyline,
    )
    from aggregator.store.read.reader import StoryReader

    with context.obj.reading() as (config, database):
        reader = StoryReader(database)
        if not other and reader.explained_article(article) is None:
            of_story = explain_storyline(reader, article)
            if of_story is not None:
                if format_ == "json":
                    show.json_line(of_story)
                else:
                    lines = show.fill_template(
                        "explain_storyline.txt", explained=of_story
                    )
                    show.out(show.wrap_text(lines))
                return
        for id_ in filter(None, (article, other)):
            if reader.explained_article(id_) is None:
                raise UsageError(
                    f"there is no article {id_}; {hint(reader, id_, 'article')}"
                )
        explained = explain_article(
            reader, article, other or None, config.effective_tuning
        )
    if format_ == "json":
        show.json_line(explained)
    else:
        show.out(show.wrap_text(explanation_text(explained)))


def explanation_text(explained: "Explanation") -> str:
    """Return the lines of `aggregator explain`."""
    from aggregator.grouping.corrections import decision_words as words

    return show.fill_template("explain.txt", explained=explained, words=words)
