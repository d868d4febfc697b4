"""The routes of the API: stories, articles, search, sources, explanations, and `/api/v1/corrections`.

Every request about corrections needs a token with the scope admin.
"""

import re
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from anyio import to_thread
from fastapi import Depends, Request, Response
from msgspec import Meta
from msgspec.structs import replace
from starlette.responses import RedirectResponse

from aggregator.grouping.corrections.apply_corrections import CorrectionCommand
from aggregator.grouping.corrections.explain import Explanation
from aggregator.model.errors import UsageError
from aggregator.model.read_model import (
    ChangedStories,
    SearchResults,
    StoryPage,
    StoryRedirect,
)
from aggregator.web import excerpts, story_json
from aggregator.web.api.openapi import (
    LOCATION,
    MOVED,
    IdInPath,
    NumberInPath,
    answer,
    api_router,
    described,
    schema_of,
)
from aggregator.web.dependencies import OfSite, conditional
from aggregator.web.editor import (
    BODY_DEADLINE_SECONDS,
    MAX_BODY_BYTES,
    CommandStatus,
    CorrectionPage,
    EditorService,
)
from aggregator.web.filters import (
    PARAMETERS,
    Parameter,
    next_of,
    search_bounds,
    up_to,
    whole_number,
)
from aggregator.web.request_body import read_body
from aggregator.web.responses import (
    GONE,
    JSON,
    RETRY_AFTER_SECONDS,
    JsonResponse,
    RefusedError,
    problem,
    too_many,
)
from aggregator.web.sanitise import encode_json
from aggregator.web.security.visit import require_scope

STORIES_AN_ANSWER = 50
FOUND_AN_ANSWER = 30
CHANGES_AN_ANSWER = 500
SOURCES_AN_ANSWER = 100
MAX_SOURCES = 500  # in one response
MAX_FOUND = 100  # articles and stories in one response of the search
MAX_ADDRESS_CHARS = 2048  # of the address of an article as a parameter
_SEARCH_PARAMETERS: dict[str, Parameter] = {
    "query": PARAMETERS["query"]._replace(is_required=True),
    **{name: PARAMETERS[name] for name in ("since", "until", "outlet", "language")},
    "limit": Parameter(
        up_to(MAX_FOUND),
        "the maximum number of articles, and of stories, in one response",
    ),
}
_ID_OR_ADDRESS = re.compile(rf"[^\s\x00-\x1f\x7f]{{1,{MAX_ADDRESS_CHARS}}}")
_ADDRESS_SCHEMA = {
    "type": "string",
    "pattern": "^[0-9A-Za-z:/?#@!$&'()*+,;=._~%-]+$",
    "maxLength": MAX_ADDRESS_CHARS,
}
_CHANGES_PARAMETERS: dict[str, Parameter] = {
    "since": Parameter(
        up_to(10**9 - 1) | {"minimum": 0}, "the number of the last change that is known"
    ),
    "limit": Parameter(
        up_to(CHANGES_AN_ANSWER), "the maximum number of changes in one response"
    ),
}
_SOURCES_PARAMETERS: dict[str, Parameter] = {
    "limit": Parameter(
        up_to(MAX_SOURCES), "the maximum number of sources in one response"
    ),
    "after": Parameter(
        {"type": "string", "pattern": "^([0-9a-f]{2}){0,400}$"},
        "the `next` of the previous page, unchanged",
    ),
}
_EXPLAIN_PARAMETERS = {
    "article": Parameter(
        _ADDRESS_SCHEMA, "the id or the address of an article", is_required=True
    ),
    "other": Parameter(
        _ADDRESS_SCHEMA, "the id or the address of another article to compare with"
    ),
}

router = api_router("/api/v1")
editing = api_router("/api/v1")  # only with an editor service


@router.get("/openapi.json", include_in_schema=False)
def openapi(request: Request) -> Response:
    """The description of the API."""
    described: dict[str, Any] = request.app.openapi()
    return conditional(
        request, None, lambda: Response(encode_json(described), media_type=JSON)
    )


@router.get(
    "/stories", **described("stories", story_json.PageJson, 400, query=PARAMETERS)
)
def list_stories(request: Request, site: OfSite) -> Response:
    """Stories, the newest bump first, or in the order of the front page.

    One page of a list; `next` is the cursor of the following page, in the same order.

    A page may have fewer stories than `limit` and still be followed by another. No story appears twice;
    stories that are new or bumped meanwhile are at the top when the list is read again.
    """
    wanted, began = site.filter(request, STORIES_AN_ANSWER)
    mutes = site.mutes(request) if wanted.order == "front" else ()
    tag = (
        site.tag(request, f"{wanted.query_string}\n{mutes}")
        if wanted.changes_with_stories
        else None
    )

    def render() -> Response:
        if not _has_words(wanted.filter.query):
            page = StoryPage()
        elif wanted.order == "front":
            page = site.reader.ranked_page(
                replace(wanted.filter, mutes=mutes), site.settings.prefer
            )
        else:
            page = site.reader.stories(wanted.filter)
        shown = (site.bounded(request, story) for story in page.stories)
        return JsonResponse(story_json.page_of(shown, next_of(page.next, began)))

    return conditional(request, tag, render)


@router.get(
    "/stories/{id}",
    **described(
        "stories", {200: answer(story_json.WholeStoryJson), 301: MOVED}, 400, 404, 410
    ),
)
def read_story(request: Request, site: OfSite, id: IdInPath) -> Response:
    """One story with its lead, what each other report says first, and quotations.

    The id of a merged story redirects to its successor.
    """
    # Before the story is read, so that it is never newer than the response.
    tag = site.tag(request, "", id)
    story = site.story(id)
    if story is None:
        return (
            problem(410, GONE)
            if site.gone(id)
            else problem(404, "there is no story with this id")
        )
    if isinstance(story, StoryRedirect):
        return RedirectResponse(f"/api/v1/stories/{story.to}", 301)
    found = story

    return conditional(
        request,
        tag,
        lambda: JsonResponse(
            story_json.whole_story(*site.bounded_with_summary(request, found))
        ),
    )


@router.get(
    "/articles/{id}",
    name="one_article",
    **described("articles", story_json.OneArticleJson, 400, 404, 410),
)
def read_article(request: Request, site: OfSite, id: IdInPath) -> Response:
    """One article, its story, and why it belongs to the story.

    `text` is for the owner; `copies` are articles of the same story with the same text.
    """
    tag = site.tag(request, "")
    found = site.article(id)
    if found is None:
        return (
            problem(410, GONE)
            if site.gone(id)
            else problem(404, "there is no article with this id")
        )
    one = excerpts.bounded_article(
        found, site.access(request), site.settings.excerpt_words
    )
    return conditional(request, tag, lambda: JsonResponse(story_json.one_article(one)))


@router.get(
    "/search", **described("articles", SearchResults, 400, query=_SEARCH_PARAMETERS)
)
def search(request: Request, site: OfSite) -> Response:
    """Articles that match the query, and their stories, the best match first.

    `problem` states why the query cannot be searched for; `marks` are ranges of code points.
    """
    story_filter = site.filter(request, FOUND_AN_ANSWER)[0].filter
    results = site.reader.search(
        story_filter.query, story_filter.limit, search_bounds(story_filter)
    )
    bounded = excerpts.bounded_results(
        results, site.access(request), site.settings.excerpt_words
    )
    return conditional(
        request, None, lambda: JsonResponse(story_json.search_results(bounded))
    )


@router.get(
    "/changes", **described("stories", ChangedStories, 400, query=_CHANGES_PARAMETERS)
)
def list_changes(request: Request, site: OfSite) -> Response:
    """The stories that changed after a change with a number, each once, as they are now.

    Without `since` it has no stories, and `next` is the number of the last change.
    """
    since = whole_number(request.query_params.get("since", ""))
    limit = int(request.query_params.get("limit", CHANGES_AN_ANSWER))
    found = site.reader.changed_stories(since, limit)
    return conditional(request, None, lambda: JsonResponse(found))


@router.get(
    "/sources",
    **described("sources", story_json.SourcesJson, 400, query=_SOURCES_PARAMETERS),
)
def list_sources(request: Request, site: OfSite) -> Response:
    """The sources and their health, by folder and name.

    One page of a list; `next` is the cursor of the following page. `url` and `problem` are for the owner.
    """
    limit = int(request.query_params.get("limit", SOURCES_AN_ANSWER))
    after = request.query_params.get("after", "")
    page = excerpts.bounded_sources(
        site.reader, site.access(request), limit, after=after
    )
    return conditional(
        request, None, lambda: JsonResponse(story_json.sources_page(page))
    )


@router.get("/folders", **described("sources", story_json.FoldersJson))
def list_folders(request: Request, site: OfSite) -> Response:
    """The folders of sources, sorted; each is a value of the parameter `folder`."""
    folders = story_json.FoldersJson(folders=site.reader.folders())
    return conditional(request, None, lambda: JsonResponse(folders))


@router.get("/topics", **described("stories", story_json.TopicsJson))
def list_topics(request: Request, site: OfSite) -> Response:
    """The topics of the front page, the most frequent first; each is a value of the parameter `topic`."""
    topics = story_json.TopicsJson(topics=site.reader.topics())
    return conditional(request, None, lambda: JsonResponse(topics))


@router.get("/queries", **described("stories", story_json.SavedQueriesJson))
def list_queries(request: Request, site: OfSite) -> Response:
    """The saved queries of config.yaml, in its order; each is a value of the parameter `saved`."""
    queries = story_json.saved_queries(site.settings.queries)
    return conditional(request, None, lambda: JsonResponse(queries))


@editing.get(
    "/explain",
    **described("articles", Explanation, 400, 404, query=_EXPLAIN_PARAMETERS),
)
def explain(request: Request, site: OfSite) -> Response:
    """Why an article is in its story, or why two articles are or are not in one story.

    Shares are logits; the score is their sum plus `bias`.
    """
    article, other = (
        request.query_params.get(name, "").strip() for name in _EXPLAIN_PARAMETERS
    )
    for name, value in (("article", article), ("other", other)):
        if value and not _ID_OR_ADDRESS.fullmatch(value):
            raise UsageError(
                f"{name}: an id or an address has no spaces and at most {MAX_ADDRESS_CHARS} characters"
            )
    tag = site.tag(request, f"{article} {other}")

    def render() -> Response:
        assert site.editor is not None
        explanation = site.editor.explanation(article, other or None)
        if explanation is None:
            return problem(
                404, "there is no such article, or the other article does not exist"
            )
        bounded = excerpts.bounded_explanation(
            explanation, site.access(request), site.settings.excerpt_words
        )
        return JsonResponse(bounded)

    return conditional(request, tag, render)


def _has_words(query: str) -> bool:
    """Return False for punctuation alone, which matches no article; an empty query is True."""
    return not query or any(sign.isalnum() for sign in query)


CORRECTIONS_AN_ANSWER = 50
MAX_CORRECTIONS = 500
# Articles or stories of one correction, as many as the records of a push
MAX_NAMED = 200

Id = Annotated[str, Meta(pattern="^[0-9A-Za-z_-]{1,40}$")]


class _Request(
    msgspec.Struct, frozen=True, tag_field="kind", forbid_unknown_fields=True
):
    """The body of a correction."""


class MergeRequest(_Request, frozen=True, tag="merge"):
    """A request to merge stories into one."""

    stories: Annotated[tuple[Id, ...], Meta(min_length=2, max_length=MAX_NAMED)]


class SplitRequest(_Request, frozen=True, tag="split"):
    """A request to give articles of a story, with their copies, a story of their own."""

    story: Id
    articles: Annotated[tuple[Id, ...], Meta(min_length=1, max_length=MAX_NAMED)]


class MoveRequest(_Request, frozen=True, tag="move"):
    """A request to move an article, with its copies, to another story."""

    article: Id
    story: Id


async def _editor_of_admin(request: Request, site: OfSite) -> EditorService:
    require_scope(request, "admin")
    assert site.editor is not None
    return site.editor


OfEditor = Annotated[EditorService, Depends(_editor_of_admin)]
PATH = "/api/v1/corrections"
_RESPONSES = {200: answer(CommandStatus), 202: answer(CommandStatus, **LOCATION)}
_LIST_PARAMETERS = {
    "limit": Parameter(
        up_to(MAX_CORRECTIONS), "the maximum number of corrections in one response"
    ),
    "before": Parameter(up_to(10**9 - 1), "the `next` of the previous page"),
}
_EXAMPLES: dict[str, Any] = {
    "merge": {"kind": "merge", "stories": ["q5m2x7k4d1t8w0ya", "z8c3v6b1n4m7k0ja"]},
    "split": {
        "kind": "split",
        "story": "q5m2x7k4d1t8w0ya",
        "articles": ["cu2cfnapd3n3kc2w"],
    },
    "move": {
        "kind": "move",
        "article": "cu2cfnapd3n3kc2w",
        "story": "z8c3v6b1n4m7k0ja",
    },
}
_UNDO = described("corrections", _RESPONSES, 400, 404, 408, 409, 413, needs_token=True)


@editing.post(
    "/corrections",
    **described(
        "corrections",
        _RESPONSES,
        *(400, 408, 409, 413, 415, 422),
        body={
            "schema": schema_of(MergeRequest | SplitRequest | MoveRequest),
            "examples": {name: {"value": value} for name, value in _EXAMPLES.items()},
        },
        needs_token=True,
    ),
)
async def correct(request: Request, editor: OfEditor) -> Response:
    """Merge stories, split one, or move an article.

    The writer executes the correction, and every later run respects it.

    409: the correction is not possible; 422: the body is not a correction.
    """
    return await _submitted(request, editor, lambda body: _command(request, body))


@editing.delete("/corrections/{number}", name="delete_correction", **_UNDO)
@editing.post("/corrections/{number}/undo", name="undo_correction", **_UNDO)
async def undo(request: Request, editor: OfEditor, number: NumberInPath) -> Response:
    """Undo a correction.

    Its articles return to their stories, and the ids of merged stories are valid again.

    Later corrections of the same articles must be undone first.
    """
    return await _submitted(
        request, editor, lambda _: CorrectionCommand(undo=_number(number))
    )


@editing.get(
    "/corrections",
    **described(
        "corrections", CorrectionPage, 400, query=_LIST_PARAMETERS, needs_token=True
    ),
)
def list_corrections(request: Request, editor: OfEditor) -> Response:
    """Corrections, the newest first.

    `words` is the correction in one sentence; `undone_at` is null if it is in force.
    """
    limit = int(request.query_params.get("limit", CORRECTIONS_AN_ANSWER))
    return JsonResponse(
        editor.corrections(limit, whole_number(request.query_params.get("before", "")))
    )


@editing.get(
    "/corrections/requests/{number}",
    **described("corrections", _RESPONSES, 400, 404, needs_token=True),
)
def look_at_correction(editor: OfEditor, number: NumberInPath) -> Response:
    """The state of a requested correction.

    The number is `request` of the answer 202.
    """
    status = editor.status(_number(number))
    if status is None:
        raise RefusedError(404, "there is no request with this number")
    return _response(status)


async def _submitted(
    request: Request, editor: EditorService, parse: Callable[[bytes], CorrectionCommand]
) -> Response:
    limiter = editor.waiting
    command = parse(await read_body(request, MAX_BODY_BYTES, BODY_DEADLINE_SECONDS))
    if limiter.borrowed_tokens >= limiter.total_tokens:
        raise too_many("corrections")
    return _response(
        await to_thread.run_sync(_execute, editor, command, limiter=limiter)
    )


def _command(request: Request, body: bytes) -> CorrectionCommand:
    parsed: MergeRequest | SplitRequest | MoveRequest = json_body(
        request, body, MergeRequest | SplitRequest | MoveRequest, "a correction"
    )
    match parsed:
        case MergeRequest():
            return CorrectionCommand(kind="merge", stories=parsed.stories)
        case SplitRequest():
            return CorrectionCommand(
                kind="split", stories=(parsed.story,), articles=parsed.articles
            )
        case MoveRequest():
            return CorrectionCommand(
                kind="move", stories=(parsed.story,), articles=(parsed.article,)
            )


def json_body(request: Request, body: bytes, kind: Any, what: str) -> Any:
    """Return the body as a `kind`. Raises RefusedError: 415; 400 if it is not JSON; 422 if it is another."""
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != JSON:
        raise RefusedError(415, "send Content-Type: application/json")
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise RefusedError(
            422, f"the body is not {what}: {str(error)[:300]}"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(400, "the body is not valid JSON") from error


def _execute(editor: EditorService, command: CorrectionCommand) -> CommandStatus:
    if command.undo is not None:
        page = editor.corrections(1, command.undo + 1)
        if all(one.n != command.undo for one in page.corrections):
            raise RefusedError(404, "there is no correction with this number")
    try:
        return editor.submit(command)
    except UsageError as error:
        raise RefusedError(409, str(error)) from error


def _response(status: CommandStatus) -> Response:
    response = JsonResponse(status)
    if status.state == "waiting":
        response.status_code = 202
        response.headers["Location"] = f"{PATH}/requests/{status.request}"
        response.headers["Retry-After"] = RETRY_AFTER_SECONDS
    return response


def _number(text: str) -> int:
    if not (number := whole_number(text)):
        raise RefusedError(404, "the number must be a whole number from 1 to 999999999")
    return number
