"""What a user writes to exact dataset ids on this machine: local first, then Minari's remote, then the default."""

import difflib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import chain

from diffsr_hub.data.minari import remote
from diffsr_hub.data.minari.ids import BUNDLED, bundled, is_outdated, missing_tiers, parse, select
from diffsr_hub.data.minari.source import datasets_root, local_datasets
from diffsr_hub.errors import UserError
from diffsr_hub.suites.known import SUITES, can_collect, suite_of_data

_NEARBY = 12  # ids in an error message

Say = Callable[[str], None]
Collect = Callable[[str], Sequence[str]]


@dataclass(frozen=True)
class Resolution:
    """Datasets that are on this machine."""

    ids: tuple[str, ...]
    """exact Minari ids, with version, sorted"""
    source: str
    """`"bundled"` if one is the embedded default, else `"remote"` if one was downloaded now, else `"local"`"""


def resolve(
    datasets: Sequence[str],
    *,
    tiers: Sequence[str] = (),
    download: bool = True,
    collect: Collect | None = None,
    say: Say = print,
) -> Resolution:
    """Find the datasets that a user means, and bring those to this machine that are not on it.

    Args:
        datasets: each an exact id (`mujoco/hopper/medium-v0`), an id without version (its highest usable one) or a
            namespace (`mujoco/hopper`: the newest version of every dataset directly under it), or a group of
            namespaces (`metaworld/ml10-train`, `metaworld/mt50-without-door-open-v3`).
        tiers: which datasets of a namespace, by name, such as `("medium", "expert")`; empty for all.
        download: whether to ask Minari's remote; `HF_HUB_OFFLINE=1` forbids it too.
        collect: makes the embedded default of a namespace, or those of a group, and returns their ids; raises
            `UserError` if there is none.
        say: takes each line that the user should see.

    Raises:
        UserError: nothing fits; the message lists what exists nearby.
    """
    if not datasets:
        raise UserError("no dataset was named: write for example mujoco/hopper")
    search = _Search(tiers, collect, say, may_download=download)
    ids = tuple(sorted({identifier for word in datasets for identifier in search.find(word.strip().rstrip("/"))}))
    say("datasets: " + ", ".join(ids))
    embedded = any(parse(identifier).name == BUNDLED for identifier in ids)
    return Resolution(ids, "bundled" if embedded else "remote" if search.downloaded else "local")


class _Search:
    """One resolution: remembers what is on this machine and whether the remote answers."""

    def __init__(self, tiers: Sequence[str], collect: Collect | None, say: Say, *, may_download: bool) -> None:
        self.downloaded = False
        self._tiers, self._collect, self._say = tiers, collect, say
        self._local = _readable(local_datasets())
        self._listed: dict[str, list[str]] = {}
        self._remote_answers = None if may_download and not remote.offline() else False

    def find(self, word: str) -> list[str]:
        """Exact ids for one word, all on this machine afterwards."""
        suite = suite_of_data(word)
        if suite is not None and suite.is_group(word):
            return self._find_group(word, suite.members(word))
        found = self._here(word) or self._there(word, word)
        if not found:
            return self._default(word)
        if word == parse(found[0]).namespace and parse(found[0]).name == BUNDLED and not self._tiers:
            self._say(f"{word}: using {found[0]}, collected here earlier; to use published data, name it with its id")
        return found

    def _find_group(self, group: str, namespaces: Sequence[str]) -> list[str]:
        """Exact ids for the namespaces of a group: all collected here if there are none, none if there are some."""
        top = group.partition("/")[0] + "/"
        found = {name: self._here(name) or self._there(name, top) for name in namespaces}
        missing = [name for name in namespaces if not found[name]]
        if len(missing) == len(namespaces):
            return self._default(group)
        if missing:
            raise UserError(
                f"{len(missing)} of the {len(namespaces)} datasets of {group} are missing: {', '.join(missing)}; "
                f"to collect them: diffsr collect {group}"
            )
        return list(chain.from_iterable(found.values()))

    def _here(self, word: str) -> list[str]:
        """Exact ids for a word, on this machine."""
        return self._among(word, self._local)

    def _there(self, word: str, prefix: str) -> list[str]:
        """Exact ids for a word, on this machine or, under a prefix, on the remote; these are downloaded."""
        found = self._among(word, {*self._local, *self._ask(prefix)}) if self._may_ask() else []
        for identifier in found:
            self._fetch(identifier)
        return found

    def _among(self, word: str, known: Collection[str]) -> list[str]:
        found = select(word, self._tiers, known)
        return [] if missing_tiers(word, self._tiers, found) else found

    def _may_ask(self) -> bool:
        """Whether the remote may be asked and answers; says so before the first contact."""
        if self._remote_answers is None:
            where = f"{remote.remote_name()} ({remote.endpoint()})"
            self._say(f"not on this machine: asking {where}; to skip: HF_HUB_OFFLINE=1 or --download false")
            self._remote_answers = remote.reachable()
            if not self._remote_answers:
                self._say(f"{where} does not answer: going on without it")
        return self._remote_answers

    def _ask(self, prefix: str) -> list[str]:
        """What the remote has under a prefix; it is asked once."""
        try:
            if prefix not in self._listed:
                self._listed[prefix] = remote.remote_ids(prefix)
            return self._listed[prefix]
        except remote.RemoteError as error:
            self._remote_answers = False
            self._say(f"{error}: going on without it")
            return []

    def _fetch(self, identifier: str) -> None:
        if identifier not in self._local:
            self._say(f"downloading {identifier} from {remote.remote_name()} into {datasets_root()}")
            remote.download(identifier)
            self._local, self.downloaded = {*self._local, identifier}, True

    def _default(self, word: str) -> list[str]:
        """The embedded default, where the word leaves room for it: it never stands in for a dataset named exactly."""
        wanted = parse(word)
        if is_outdated(wanted):
            raise UserError(
                f"{word} is not on this machine and cannot be collected any more: it was made with other policies; "
                f"use {bundled(wanted.namespace or '')}"
            )
        named = word in (f"{wanted.namespace}/{BUNDLED}", bundled(wanted.namespace or ""))
        namespace = (wanted.namespace or "") if named else word
        other = not named and bool(self._tiers) and set(self._tiers) != {BUNDLED}
        if self._collect is None or other or not can_collect(namespace):
            raise UserError(self._nothing_fits(word))
        try:
            identifiers = list(self._collect(namespace))
        except UserError as error:
            raise UserError(self._nothing_fits(word, f"none can be collected: {error}")) from error
        self._say(
            "nothing on disk, nothing downloadable: using the embedded behaviour policies of "
            f"{namespace}, {', '.join(identifiers)}"
        )
        return identifiers

    def _nothing_fits(self, word: str, *why: str) -> str:
        wish = f"{word!r} with tiers {', '.join(self._tiers)}" if self._tiers else repr(word)
        folder = datasets_root() / word / "data"
        broken = f" ({folder} is incomplete, or of a version that this Minari cannot read)" if folder.exists() else ""
        top = word.split("/", maxsplit=1)[0] + "/"
        there = self._ask(top) if self._remote_answers else []
        remotely = f"at {remote.remote_name()}: {_nearby(word, there)}"
        lines = [
            f"no dataset fits {wish}{broken}",
            *why,
            f"on this machine, in {datasets_root()}: {_nearby(word, self._local)}",
            remotely if self._remote_answers else f"{remote.remote_name()} was not asked",
            *_guess(word, {*self._local, *there}),
            "MINARI_DATASETS_PATH chooses the folder, MINARI_REMOTE the remote",
        ]
        return "; ".join(lines)


def _readable(local: dict[str, str]) -> set[str]:
    """The ids that the installed Minari can read."""
    from minari import supported_dataset_versions

    return {identifier for identifier, version in local.items() if version in supported_dataset_versions}


def _nearby(word: str, known: Collection[str]) -> str:
    """The ids under the same top folder, or else any, closest first."""
    top = word.split("/", maxsplit=1)[0] + "/"
    candidates = [identifier for identifier in known if identifier.startswith(top)] or list(known)
    closest = sorted(candidates, key=lambda i: (-difflib.SequenceMatcher(None, word, i).ratio(), i))
    more = f" and {len(closest) - _NEARBY} more" if len(closest) > _NEARBY else ""
    return ", ".join(closest[:_NEARBY]) + more if closest else "nothing"


def _guess(word: str, known: Collection[str]) -> list[str]:
    """What the user may have meant: an id, an id without version, or a namespace."""
    words = {*known, *chain.from_iterable((*suite.bundled, *suite.groups) for suite in SUITES.values())}
    for identifier in known:
        words |= {identifier.rpartition("-v")[0], parse(identifier).namespace or identifier}
    close = difflib.get_close_matches(word, sorted(words), n=1, cutoff=0.7) if word not in words else []
    return [f"did you mean {close[0]}?"] if close else []
