"""Minari's dataset ids: their grammar, and which of them a user's word means.

Minari's own parser crashes on an id without version, and its prefixes are plain string prefixes (`mujoco/humanoid`
also finds `mujoco/humanoidstandup`). Here a namespace is compared whole.
"""

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from diffsr_hub.errors import UserError
from diffsr_hub.suites.known import bundled_version

BUNDLED = "bundled"
"""The dataset name of what the project's own behaviour policies collected."""

_GRAMMAR = re.compile(r"(?:(?P<namespace>[-\w]+(?:/[-\w]+)*)/)?(?P<name>[-\w]+?)(?:-v(?P<version>\d+))?")


class DatasetId(NamedTuple):
    """An id taken apart: `mujoco/hopper/medium-v0` is (`mujoco/hopper`, `medium`, 0)."""

    namespace: str | None
    name: str
    version: int | None


def bundled(namespace: str) -> str:
    """The dataset that this project can collect: `mujoco/hopper/bundled-v0` of `mujoco/hopper`."""
    return f"{namespace}/{BUNDLED}-v{bundled_version(namespace)}"


def is_outdated(identifier: DatasetId) -> bool:
    """Whether a dataset is a bundled one of a version that cannot be collected any more."""
    namespace, name, version = identifier
    return name == BUNDLED and version is not None and version < bundled_version(namespace or "")


def is_id(text: str) -> bool:
    """Whether it can be the id of a dataset, or a part of one between slashes."""
    return _GRAMMAR.fullmatch(text) is not None


def parse(text: str) -> DatasetId:
    """Take an id apart; the version is optional.

    Raises:
        UserError: it is not an id.
    """
    match = _GRAMMAR.fullmatch(text)
    if match is None:
        raise UserError(
            f"{text!r} is not a Minari dataset: write an id (mujoco/hopper/medium-v0), "
            "an id without version (mujoco/hopper/medium) or a namespace (mujoco/hopper)"
        )
    version = match["version"]
    return DatasetId(match["namespace"], match["name"], None if version is None else int(version))


def select(word: str, tiers: Sequence[str], known: Collection[str]) -> list[str]:
    """Expand what a user wrote into ids of `known`, sorted; empty if none fits.

    An exact id is itself, an id without version its highest version, a namespace the newest version of each dataset
    directly under it: of those named in `tiers`, or else of all but the bundled one, or else the bundled one. A
    namespace may end like a version: metaworld/door-open-v3. An outdated bundled dataset is only found by its exact id.
    """
    wanted = parse(word)
    if word in known:
        return [word]
    parsed = {identifier: found for identifier in known if not is_outdated(found := parse(identifier))}
    versions = [i for i, p in parsed.items() if (p.namespace, p.name) == (wanted.namespace, wanted.name)]
    if versions and wanted.version is None:
        return _newest(versions)
    inside = [identifier for identifier, p in parsed.items() if p.namespace == word]
    if tiers:
        return _newest([identifier for identifier in inside if parsed[identifier].name in tiers])
    published = [identifier for identifier in inside if parsed[identifier].name != BUNDLED]
    return _newest(published or inside)


def missing_tiers(word: str, tiers: Sequence[str], found: Collection[str]) -> list[str]:
    """The tiers asked of a namespace that `found` lacks; none where `word` names one dataset."""
    names = {parse(identifier).name for identifier in found if parse(identifier).namespace == word}
    if found and not names:
        return []
    return [tier for tier in tiers if tier not in names]


def _newest(identifiers: Sequence[str]) -> list[str]:
    newest: dict[tuple[str | None, str], str] = {}
    for identifier in sorted(identifiers, key=lambda i: parse(i).version or 0):
        newest[parse(identifier)[:2]] = identifier
    return sorted(newest.values())
