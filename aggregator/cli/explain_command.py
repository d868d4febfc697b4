"""The command `explain`."""

from typing import TYPE_CHECKING, Annotated

from aggregator.cli import output as show
from aggregator.cli.command_context import Context
from aggregator.cli.output import argument
from aggregator.config.messages import pluralise
from aggregator.model.errors import UsageError

if TYPE_CHECKING:
    from aggregator.grouping.corrections.explained import Explanation
    from aggregator.grouping.corrections.explanation import StorylineExplanation
from aggregator.cli.stories_command import hint
from aggregator.cli.story_command import fill_template


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
        explanation,
        storyline_explanation,
    )
    from aggregator.store.read.reader import StoryReader

    with context.obj.reading() as (config, database):
        reader = StoryReader(database)
        if not other and reader.explained_article(article) is None:
            of_story = storyline_explanation(reader, article)
            if of_story is not None:
                if format_ == "json":
                    show.json_line(of_story)
                else:
                    show.out(show.wrap_text(storyline_text(of_story)))
                return
        for id_ in filter(None, (article, other)):
            if reader.explained_article(id_) is None:
                raise UsageError(
                    f"there is no article {id_}; {hint(reader, id_, 'article')}"
                )
        explained = explanation(reader, article, other or None, config.effective_tuning)
    if format_ == "json":
        show.json_line(explained)
    else:
        show.out(show.wrap_text(explanation_text(explained)))


def storyline_text(explained: "StorylineExplanation") -> str:
    """Return the lines of `aggregator explain STORY`."""
    lines = [explained.title]
    if not explained.near:
        return f"{explained.title}\nIt stands alone: no other story is near enough.\n"
    lines.append(
        f"It stands in the storyline {explained.storyline}. How near the other stories are, as the mean of "
        f"comparisons of articles (a single story joins from {explained.need:+.2f} on average):"
    )
    for other in explained.near:
        compared = (
            pluralise(other.comparisons, "comparison")
            if other.comparisons
            else "never near"
        )
        lines.append(f"  {other.affinity:+.2f}  {other.id}  {other.title} ({compared})")
    return "\n".join(lines) + "\n"


def explanation_text(explained: "Explanation") -> str:
    """Return the lines of `aggregator explain`."""
    from aggregator.grouping.corrections import decision_words as words

    functions = (
        words.decision_words,
        words.log_words,
        words.not_counted,
        words.reason_name,
    )
    word_filters = {
        function.__name__: function
        for function in (*functions, words.reason_value, repr)
    }
    word_filters |= {
        "copy_words": words.COPY_SHARES.format,
        "minute": "{:%Y-%m-%d %H:%M}".format,
        "score_words": words.SCORE.format,
    }
    return fill_template("explain.txt", word_filters, explained=explained)
