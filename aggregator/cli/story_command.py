"""The command `story`."""

from typing import Annotated

from aggregator.cli import output as show
from aggregator.cli.command_context import Context
from aggregator.cli.output import argument
from aggregator.cli.stories_command import hint
from aggregator.model.errors import UsageError


def story(
    context: Context,
    id_: Annotated[
        str,
        argument("ID", "Show the story with this id (see `aggregator stories`)."),
    ],
    format_: show.TextOrJson = "text",
) -> None:
    """Show a story: what its reports say, and its articles.

    The output has the lead of one report, the title and first sentence of each other one, quotations, and
    for each article its id (for `aggregator explain`) and the original if it is a copy.

    \b
    Examples:
      aggregator story STORY
      aggregator story STORY --format json
    """
    from aggregator.config.messages import story_numbers
    from aggregator.model.read_model import StoryRedirect
    from aggregator.publish import story_json
    from aggregator.store.read.reader import StoryReader
    from aggregator.stories.plain_text import (
        NO_OUTLET,
        as_text,
        day_of,
        label_of,
        source_of,
    )

    with context.obj.reading() as (config, database):
        reader = StoryReader(database, config.effective_tuning)
        shown = reader.story(id_)
        if isinstance(shown, StoryRedirect):
            show.say(f"{id_} was merged into {shown.to}")
            shown = reader.story(shown.to)
        if shown is None or isinstance(shown, StoryRedirect):
            raise UsageError(f"there is no story {id_}; {hint(reader, id_, 'story')}")
        text = reader.text(shown.id)
    if format_ == "json":
        show.json_line(story_json.whole_story(shown, text))
    else:
        assert text is not None, "an existing story can be rendered"
        single_label = ""
        if len(shown.articles) == 1:
            counts = source_of(shown.articles[0])
            single_label = label_of(shown.articles[0])
        else:
            counts = ", ".join(reversed(story_numbers(shown)))
        show.out(
            show.wrap_text(
                show.fill_template(
                    "story.txt",
                    story=shown,
                    counts=counts,
                    single=shown.articles[0].text if len(shown.articles) == 1 else "",
                    text=text,
                    reports=as_text(text, shown.articles),
                    outlets={article.id: article.outlet for article in shown.articles},
                    articles={article.id: article for article in shown.articles},
                    day_of=day_of,
                    single_label=single_label,
                    no_outlet=NO_OUTLET,
                )
            )
        )
