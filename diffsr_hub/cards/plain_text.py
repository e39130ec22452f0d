"""Text from strangers on a card: one line of plain text, which neither ends the front matter nor formats anything."""

import re
from collections.abc import Mapping
from statistics import median
from typing import Any

import jinja2
from markupsafe import Markup

from diffsr_hub.errors import plain

_MARKDOWN = re.compile(r"([\\`*_\[\]<>|#~$&!])")
_ADDRESS = re.compile(r"https?://[\w./#%=?~-]+", re.ASCII)


def jinja() -> jinja2.Environment:
    """Renders templates in which a missing fact is an error and every printed one is plain."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        finalize=_plain,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters |= {"code": _code, "line": _verbatim, "link": _link, "duration": _duration, "median": median}
    environment.filters["interval"] = _interval
    return environment


def _plain(value: Any) -> Any:
    """What an expression of the template may print: numbers, and text without markup."""
    if isinstance(value, Markup | bool | int | float):
        return value
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} is not text")
    return _MARKDOWN.sub(r"\\\1", plain(value))


def _code(text: str) -> Markup:
    """Inline code, also inside a table."""
    return Markup(f"`{plain(text).replace('`', chr(39)).replace('|', '/')}`")


def _verbatim(text: str) -> Markup:
    """One line within a block of code."""
    return Markup(plain(text).replace("```", "'''"))


def _link(text: str) -> Markup:
    """A link, where the text is nothing but an address of the web."""
    return Markup(f"<{text}>") if _ADDRESS.fullmatch(text) else _code(text)


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.1f} minutes" if seconds >= 60 else f"{seconds:.0f} seconds"


def _interval(estimate: Mapping[str, float | None]) -> Markup:
    """`centre [low, high]`; one seed has no interval."""
    centre, low, high = (estimate.get(name) for name in ("centre", "low", "high"))
    if centre is None:
        raise TypeError("an estimate has no centre")
    return Markup(
        _amount(centre) if low is None or high is None else f"{_amount(centre)} [{_amount(low)}, {_amount(high)}]"
    )


def _amount(number: float) -> str:
    """Steps and returns as whole numbers, success rates with two digits."""
    return f"{number:,.0f}" if abs(number) >= 10 else f"{number:.2g}"
