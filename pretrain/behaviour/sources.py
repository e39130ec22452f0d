"""What plays the bundled data of each suite: one more is a line here."""

from diffsr_hub.errors import unknown
from pretrain.behaviour import robots, scripted
from pretrain.behaviour.mixture import Source

SOURCES: dict[str, Source] = {source.suite.namespace: source for source in (robots.SOURCE, scripted.SOURCE)}
"""by the namespace of their suite"""
_LISTED = 10
"""names that are all listed; one stands for more of them"""


def source_of(word: str) -> Source:
    """What plays the data of a namespace or of a group.

    Raises:
        UserError: No suite with bundled data has such names.
    """
    found = SOURCES.get(word.partition("/")[0])
    if found is None:
        names = (name for source in SOURCES.values() for name in (*source.suite.bundled, *source.suite.groups))
        raise unknown("bundled dataset or group", word, names)
    return found


def names() -> str:
    """What can be collected, in words."""
    parts = []
    for suite in (source.suite for source in SOURCES.values()):
        first, *others = suite.bundled
        parts.append(", ".join((first, *others)) if len(others) < _LISTED else f"a task such as {first}")
        parts += [f"a group of them: {', '.join(suite.groups)}"] if suite.groups else []
    return "; ".join(parts)
