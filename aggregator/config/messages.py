"""How a number is said with what it counts."""


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 article`, `4 articles`, `1,204 articles`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
