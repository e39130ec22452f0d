"""What a template prints is plain: no markup, no code, no word in place of a missing fact."""

from typing import Any

import jinja2
import pytest

from diffsr_hub.cards.plain_text import jinja


def shown(template: str, **facts: Any) -> str:
    return jinja().from_string(template).render(**facts)


@pytest.mark.parametrize(
    ("template", "value", "expected"),
    [
        ("{{ x }}", "a *b* [c](d) <e> | `f`", r"a \*b\* \[c\](d) \<e\> \| \`f\`"),
        ("{{ x }}", 1.5, "1.5"),
        ("{{ x | code }}", "a`b|c", "`a'b/c`"),
        ("{{ x | line }}", "a ``` b", "a ''' b"),
        ("{{ x | link }}", "https://a.b/c", "<https://a.b/c>"),
        ("{{ x | link }}", "javascript:alert(1)", "`javascript:alert(1)`"),
        ("{{ x | duration }}", 59, "59 seconds"),
        ("{{ x | duration }}", 90, "1.5 minutes"),
        ("{{ x | interval }}", {"centre": 1234.5}, "1,234"),
        ("{{ x | interval }}", {"centre": 0.25, "low": 0.1, "high": 0.5}, "0.25 [0.1, 0.5]"),
    ],
)
def test_every_kind_of_fact(template: str, value: object, expected: str) -> None:
    assert shown(template, x=value) == expected


@pytest.mark.parametrize("value", [None, [], {}])
def test_what_is_no_text_and_no_number_is_an_error(value: object) -> None:
    with pytest.raises(TypeError, match="is not text"):
        shown("{{ x }}", x=value)
    with pytest.raises((jinja2.UndefinedError, TypeError)):
        shown("{{ y }}", x=value)
