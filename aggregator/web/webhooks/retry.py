"""When a delivery that failed is tried again."""

from aggregator.web.webhooks.model import HookRules


def gap_seconds(tries: int, rules: HookRules, chance: float) -> float:
    """The gap after the `tries`-th failure in a row, from 1; `chance` from 0 to 1 is what makes it differ."""
    exponent = min(max(tries, 1) - 1, 64)
    gap = min(rules.retry_first_seconds * rules.retry_factor**exponent, rules.retry_most_seconds)
    return gap * (1 + rules.retry_jitter * (2 * chance - 1))


def pause_seconds(failures: int, asked_seconds: float | None, rules: HookRules, chance: float) -> float:
    """How long a hook rests after so many failures in a row; `asked_seconds`: what its receiver asked for."""
    own = min(gap_seconds(failures, rules, chance), rules.pause_most_seconds)
    return own if asked_seconds is None else max(own, min(asked_seconds, rules.retry_most_seconds))
