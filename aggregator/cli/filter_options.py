"""Options of commands, one for each declared filter of stories or articles."""

from collections.abc import Callable
from functools import wraps
from inspect import Signature, signature
from typing import Annotated, Any

from aggregator.cli.output import option
from aggregator.config.story_query import QueryModel

# The metavar of an option, if it is not the name of the filter in capitals
_VALUES = {
    "since": "TIME",
    "until": "TIME",
    "min_outlets": "N",
    "min_reports": "N",
    "storyline": "STORY",
    "fold": "storylines",
}
Saved = Annotated[
    str,
    option(
        "--saved",
        "NAME",
        "Use a saved query of config.yaml; other options override its parts.",
    ),
]


def with_filters(
    filters: type[QueryModel], words: str
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that gives a command an option for each filter.

    The parameter `asked` of the command receives all of them as one query. The help of each option begins with `words`.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        parameters = []
        for parameter in signature(command, eval_str=True).parameters.values():
            if parameter.name != "asked":
                parameters.append(parameter)
                continue
            query: type[QueryModel] = parameter.annotation
            for name, field in filters.model_fields.items():
                typed = option(
                    f"--{name.replace('_', '-')}",
                    _VALUES.get(name, name.upper()),
                    f"{words} {field.description}.",
                )
                kind: Any = Annotated[str, typed]
                parameters.append(
                    parameter.replace(name=name, default="", annotation=kind)
                )

        @wraps(command)
        def run(**given: Any) -> None:
            typed = {name: given.pop(name) for name in filters.model_fields}
            command(asked=query.read(typed), **given)

        run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {}  # Typer reads the signature alone
        return run

    return decorate
