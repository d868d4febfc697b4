"""The filters of stories as options of a command, made of the declaration of the filters."""

from collections.abc import Callable
from functools import wraps
from inspect import Signature, signature
from typing import Annotated, Any

from aggregator.cli.output import option
from aggregator.config.story_query import StoryQuery
from aggregator.web.list_query import ListQuery

Saved = Annotated[
    str,
    option(
        "--saved",
        "NAME",
        "Use a saved query of config.yaml; other options override its parts.",
    ),
]


def with_filters(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each filter; its parameter `asked` receives them together."""

    @wraps(command)
    def run(**given: Any) -> None:
        typed = {name: given.pop(name) for name in StoryQuery.model_fields}
        command(asked=ListQuery.read(typed), **given)

    parameters = [*signature(command, eval_str=True).parameters.values()]
    options = []
    for name, field in StoryQuery.model_fields.items():
        typed = option(
            f"--{name.replace('_', '-')}",
            "N" if field.annotation is int else name.upper(),
            f"Select stories {field.description}.",
        )
        kind: Any = Annotated[str, typed]
        options.append(parameters[0].replace(name=name, default="", annotation=kind))
    # The first parameter is the context, the second `asked`
    parameters[1:2] = options
    run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {}  # Typer reads the signature alone
    return run
