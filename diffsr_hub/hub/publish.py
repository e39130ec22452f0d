"""Publish an exported folder on the Hub: byte for byte, in one commit, never over something else."""

import hashlib
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, hf_hub_download
from huggingface_hub.errors import RepositoryNotFoundError
from huggingface_hub.hf_api import ModelInfo

from diffsr_hub.errors import UserError
from diffsr_hub.files.paths import expanded
from diffsr_hub.hub.names import check_ref, check_repository
from diffsr_hub.hub.publishable import publishable
from diffsr_hub.saved.download import check_cache
from diffsr_hub.saved.file_names import CARD, CONFIG
from diffsr_hub.saved.hub_errors import CLIENT_ERRORS, one_line
from diffsr_hub.saved.integrity import git_hash
from diffsr_hub.saved.kinds import kind_of
from diffsr_hub.saved.tokens import without_tokens

_NOT_OURS_TO_REMOVE = frozenset({".gitattributes", "LICENSE"})


@dataclass(frozen=True)
class Published:
    """Where a folder went."""

    url: str
    commit: str
    """with which it is loaded for ever"""
    kind: str
    """its class"""


def publish(
    folder: Path,
    repository: str,
    *,
    private: bool = False,
    revision: str = "main",
    tag: str | None = None,
    message: str | None = None,
) -> Published:
    """Upload a folder; what is published is afterwards exactly that folder, or what was there before.

    What a failed attempt had uploaded is not sent again by the next one.

    Args:
        folder: As pretraining or fine-tuning exports it.
        repository: Such as `org/diffsr-hopper`; created where it does not exist.
        private: Whether only its owners may see it.
        revision: Branch to publish to; created where it does not exist.
        tag: Name for the commit.
        message: Title of the commit.

    Raises:
        UserError: The folder is not ready, the repository holds something else, or the Hub refuses.
    """
    check_repository(repository)
    check_ref("--revision", revision)
    if tag is not None:
        check_ref("--tag", tag)
    folder = expanded(folder)
    files = publishable(folder, repository)
    kind = kind_of(folder / CONFIG).name
    api = HfApi()
    with one_line(f"{folder} was not published as {repository}"):
        main = _open(api, repository, private)
        refs = api.list_repo_refs(repository)
        branches, tags = {ref.name for ref in refs.branches}, {ref.name: ref.target_commit for ref in refs.tags}
        _check_names(repository, revision, tag, branches, tags.keys())
        there = _head(api, repository, revision) if revision in branches - {"main"} else main
        _check_kind(there, kind)
        if tag in tags and (tags[tag] != there.sha or _difference(there, files)):
            raise UserError(f"{repository} already has a tag {tag}; a published version never changes")
        if revision not in branches:
            api.create_branch(repository, branch=revision, revision=main.sha)
        commit = _commit(api, there, revision, files, message or f"Publish {kind}")
    with one_line(f"{repository} has the commit {commit}, but maybe not the tag {tag}: repeat the command"):
        if tag is not None and tag not in tags:
            api.create_tag(repository, tag=tag, revision=commit)
    return Published(without_tokens(f"{api.endpoint}/{repository}"), commit, kind)


def _open(api: HfApi, repository: str, private: bool) -> ModelInfo:
    """The head of `main`; the repository is made where it does not exist."""
    try:
        main = _head(api, repository)
    except RepositoryNotFoundError:
        api.create_repo(repository, private=private)
        main = _head(api, repository)
    if private and not main.private:
        raise UserError(f"{repository} exists and is public: make it private at the Hub's settings first")
    return main


def _head(api: HfApi, repository: str, revision: str | None = None) -> ModelInfo:
    return api.model_info(repository, revision=revision, files_metadata=True)


def _names(there: ModelInfo) -> set[str]:
    return {file.rfilename for file in there.siblings or []} - _NOT_OURS_TO_REMOVE


def _check_names(repository: str, revision: str, tag: str | None, branches: Set[str], tags: Set[str]) -> None:
    """Refuse a name that would be a branch and a tag at once."""
    if revision in tags:
        raise UserError(f"{revision} is a tag of {repository}, which never moves; --revision takes a branch")
    if tag in branches | {revision}:
        raise UserError(f"{tag} is a branch of {repository}, which moves; --tag takes another name")


def _check_kind(there: ModelInfo, kind: str) -> None:
    """Refuse to publish over anything but an older version of the same kind of model."""
    files = _names(there)
    if files <= {CARD}:  # as the Hub's page makes a repository
        return
    refusal = f"{there.id} holds something else (%s); publish under another name"
    if CONFIG not in files:
        raise UserError(refusal % f"no {CONFIG}, but {', '.join(sorted(files)[:3])}")
    check_cache()
    try:
        found = kind_of(Path(hf_hub_download(there.id, CONFIG, revision=there.sha))).name
    except UserError:
        raise UserError(refusal % f"a {CONFIG} that is not of diffsr-hub") from None
    if found != kind:
        raise UserError(refusal % f"a {found}, not a {kind}")


def _commit(api: HfApi, there: ModelInfo, revision: str, files: list[Path], message: str) -> str:
    """Make the files the content of a branch, unless they are; the commit that holds them."""
    if not _difference(there, files):
        return str(there.sha)
    additions = [CommitOperationAdd(file.name, file) for file in files]
    stale = [CommitOperationDelete(name) for name in sorted(_names(there) - {file.name for file in files})]
    failed: Exception | None = None
    try:
        commit: str = api.create_commit(
            there.id, [*additions, *stale], commit_message=message, revision=revision, parent_commit=there.sha
        ).oid
    except CLIENT_ERRORS as error:  # of a commit that is there, the answer may be lost
        commit, failed = revision, error
    with one_line(f"{there.id} may have a new commit on {revision}, which could not be checked: repeat the command"):
        now = _head(api, there.id, commit)
    difference = _difference(now, files)
    if difference:
        raise failed or UserError(f"{there.id} has a new commit {commit}, but {difference}")
    return str(now.sha)


def _difference(there: ModelInfo, files: list[Path]) -> str:
    """What the Hub holds otherwise than the folder, by the hashes that it announces; empty where nothing."""
    announced = {file.rfilename: file for file in there.siblings or []}
    for file in files:
        content, entry = file.read_bytes(), announced.pop(file.name, None)
        if entry is None:
            return f"{file.name} is not there"
        expected = entry.lfs.sha256 if entry.lfs else entry.blob_id
        if expected != (hashlib.sha256(content).hexdigest() if entry.lfs else git_hash(content)):
            return f"{file.name} has other bytes than the folder's"
    extra = sorted(announced.keys() - _NOT_OURS_TO_REMOVE)
    return f"it also holds {', '.join(extra[:5])}" if extra else ""
