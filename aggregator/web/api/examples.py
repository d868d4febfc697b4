"""Examples for the description of the API. Places, outlets and people in them are invented."""

from typing import Any

_ARTICLE: dict[str, Any] = {
    "id": "cu2cfnapd3n3kc2w",
    "outlet": "Harbour Post",
    "url": "https://news.example.org/2026/dam",
    "title": "Dam siren sounded by mistake",
    "published": "2026-11-20T08:30:00Z",
    "seen": "2026-11-20T08:34:10Z",
    "language": "en",
    "copy_of": None,
    "wire": None,
    "role": "report",
}
_WHOLE_ARTICLE: dict[str, Any] = _ARTICLE | {
    "lead": "The siren of the Orrin dam sounded for ten minutes on Friday.",
    "author": "Ada Lindqvist",
    "published_origin": "feed",
    "published_precision": "minute",
    "reason": "founded this story: no live story was alike enough",
}
_STORY: dict[str, Any] = {
    "id": "q5m2x7k4d1t8w0ya",
    "title": "Dam siren sounded by mistake",
    "summary": "The siren of the Orrin dam sounded for ten minutes on Friday.",
    "language": "en",
    "first_published": "2026-11-20T08:30:00Z",
    "last_published": "2026-11-20T09:10:00Z",
    "updated": "2026-11-20T09:12:00.000041Z",
    "article_count": 1,
    "outlet_count": 1,
    "report_count": 1,
}
PAGE: dict[str, Any] = {
    "stories": [_STORY | {"articles": [_ARTICLE]}],
    "next": "63930859920000000.63930856320000041-412",
}
STORY: dict[str, Any] = _STORY | {
    "articles": [_WHOLE_ARTICLE],
    "text": "The siren of the Orrin dam sounded for ten minutes on Friday. (Harbour Post)",
    "timeline": [],
    "disagreements": [],
    "agreed": [],
    "no_shared_fact": False,
    "trails": [],
    "links": [],
}
ARTICLE: dict[str, Any] = _WHOLE_ARTICLE | {
    "text": None,
    "story": _STORY["id"],
    "story_title": _STORY["title"],
    "revisions": 0,
    "copy_count": 0,
    "copies": [],
}
_FOUND: dict[str, Any] = {
    "id": _ARTICLE["id"],
    "story": _STORY["id"],
    "story_title": _STORY["title"],
    "title": _ARTICLE["title"],
    "outlet": "Harbour Post",
    "url": _ARTICLE["url"],
    "effective": "2026-11-20T08:30:00Z",
    "language": "en",
    "snippet": "The siren of the Orrin dam sounded for ten minutes on Friday.",
    "marks": [[4, 9], [23, 26]],
    "entries": [],
}
FOUND: dict[str, Any] = {
    "stories": [
        {name: value for name, value in _STORY.items() if name != "summary"}
        | {"found": 1, "articles": [_FOUND]}
    ],
    "articles": [_FOUND],
    "more": False,
    "problem": None,
}
SOURCES: dict[str, Any] = {
    "sources": [
        {
            "id": "hb4k",
            "name": "Harbour Post",
            "kind": "feed",
            "url": None,
            "home": "https://news.example.org/",
            "folder": "Coast",
            "state": "ok",
            "problem": None,
            "article_count": 412,
            "last_success": "2026-11-20T09:00:03Z",
            "next_due": "2026-11-20T10:00:00Z",
        }
    ]
}
HEALTH: dict[str, Any] = {
    "status": "ok",
    "writable": True,
    "waiting": 0,
    "last_placed": "2026-11-20T09:12:00Z",
    "problem_count": 0,
    "problems": None,
}
READY: dict[str, Any] = {
    "ready": True,
    "status": "ok",
    "role": "writer",
    "problem_count": 0,
    "problems": None,
}
CORRECTIONS: dict[str, dict[str, Any]] = {
    "merge": {"kind": "merge", "stories": ["q5m2x7k4d1t8w0ya", "z8c3v6b1n4m7k0ja"]},
    "split": {"kind": "split", "story": "q5m2x7k4d1t8w0ya", "articles": ["cu2cfnapd3n3kc2w"]},
    "move": {"kind": "move", "article": "cu2cfnapd3n3kc2w", "story": "z8c3v6b1n4m7k0ja"},
}
_EXAMPLE_WORDS = "merged z8c3v6b1n4m7k0ja into q5m2x7k4d1t8w0ya"
DONE: dict[str, Any] = {
    "request": 7,
    "state": "done",
    "corrected": {"n": 3, "stories": ["q5m2x7k4d1t8w0ya"], "words": _EXAMPLE_WORDS},
    "reason": None,
}
WAITING: dict[str, Any] = {"request": 7, "state": "waiting", "corrected": None, "reason": None}
CORRECTED: dict[str, Any] = {
    "corrections": [
        {
            "n": 3,
            "at": "2026-11-20T10:00:00Z",
            "kind": "merge",
            "undone_at": None,
            "stories": ["q5m2x7k4d1t8w0ya", "z8c3v6b1n4m7k0ja"],
            "articles": ["cu2cfnapd3n3kc2w"],
            "words": _EXAMPLE_WORDS,
        }
    ],
    "next": None,
}
RECORD: dict[str, Any] = {
    "id": "2026-11-20/dam",
    "url": "https://news.example.org/2026/dam",
    "outlet": "Harbour Post",
    "title": "Dam siren sounded by mistake",
    "text": "The siren of the Orrin dam sounded for ten minutes on Friday.\n"
    "Nobody was in danger, the fire service said.",
    "published": "2026-11-20T08:30:00Z",
    "language": "en",
}
LINES = '{"title": "One"}\n{"title": "Another"}\n'
PUSHED: dict[str, Any] = {
    "accepted": 1,
    "known": 0,
    "rejected": 0,
    "items": [
        {"record": 1, "status": "accepted", "article": _ARTICLE["id"], "revision": False, "reason": None}
    ],
}
