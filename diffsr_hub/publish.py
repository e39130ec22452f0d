"""Publish an exported folder on the Hub: byte for byte, in one commit, never over something else."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, hf_hub_download
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.hf_api import ModelInfo, RepoFile

from diffsr_hub import pretrained
from diffsr_hub.errors import UserError
from diffsr_hub.hub import model_type
from diffsr_hub.hub_errors import one_line
from diffsr_hub.hub_names import check_repository
from diffsr_hub.integrity import git_hash
from diffsr_hub.publishable import publishable

_NOT_OURS_TO_REMOVE = ".gitattributes"


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
    files = publishable(folder, repository)
    kind = model_type(folder / pretrained.CONFIG)
    with one_line(f"{folder} was not published as {repository}"):
        api = HfApi()
        there = _open(api, repository, revision, private)
        old = _published_files(there)
        _check_kind(repository, revision, there, old, kind)
        _check_tag(api, repository, tag)
        additions = [CommitOperationAdd(file.name, file) for file in files]
        stale = [CommitOperationDelete(name) for name in sorted(old - {file.name for file in files})]
        commit = api.create_commit(
            repository,
            [*additions, *stale],
            commit_message=message or f"Publish {kind}",
            revision=revision,
            parent_commit=there.sha,
        )
    with one_line(f"{repository} has a new commit {commit.oid}, but it is not as it should be"):
        _compare(api, repository, commit.oid, files)
        if tag is not None:
            api.create_tag(repository, tag=tag, revision=commit.oid)
    return Published(f"{api.endpoint}/{repository}", commit.oid, kind)


def _open(api: HfApi, repository: str, revision: str, private: bool) -> ModelInfo:
    """The head of the branch to publish to; repository and branch are made where they do not exist."""
    try:
        main = api.model_info(repository)
    except RepositoryNotFoundError:
        api.create_repo(repository, private=private)
        main = api.model_info(repository)
    if private and not main.private:
        raise UserError(f"{repository} exists and is public: make it private at the Hub's settings first")
    if revision == "main":
        return main
    try:
        return api.model_info(repository, revision=revision)
    except RevisionNotFoundError:
        api.create_branch(repository, branch=revision, revision=main.sha)
        return api.model_info(repository, revision=revision)


def _published_files(there: ModelInfo) -> set[str]:
    return {file.rfilename for file in there.siblings or []} - {_NOT_OURS_TO_REMOVE}


def _check_kind(repository: str, revision: str, there: ModelInfo, files: set[str], kind: str) -> None:
    """Refuse to publish over anything but an older version of the same kind of model."""
    if not files:
        return
    refusal = f"{repository} holds something else (%s); publish under another name"
    if pretrained.CONFIG not in files:
        raise UserError(refusal % f"no {pretrained.CONFIG}, but {', '.join(sorted(files)[:3])}")
    try:
        found = model_type(Path(hf_hub_download(repository, pretrained.CONFIG, revision=there.sha)))
    except UserError:
        raise UserError(refusal % f"a {pretrained.CONFIG} that is not of diffsr-hub") from None
    if found != kind:
        raise UserError(refusal % f"a {found}, not a {kind}")


def _check_tag(api: HfApi, repository: str, tag: str | None) -> None:
    if tag is not None and tag in {ref.name for ref in api.list_repo_refs(repository).tags}:
        raise UserError(f"{repository} already has a tag {tag}; a published version never changes")


def _compare(api: HfApi, repository: str, commit: str, files: list[Path]) -> None:
    """Check that the Hub holds the bytes of the folder, by the hashes that it announces."""
    announced = {entry.path: entry for entry in api.list_repo_tree(repository, revision=commit)}
    for file in files:
        content, entry = file.read_bytes(), announced.pop(file.name, None)
        if not isinstance(entry, RepoFile):
            raise ValueError(f"{file.name} is not there")
        expected = entry.lfs.sha256 if entry.lfs else entry.blob_id
        if expected != (hashlib.sha256(content).hexdigest() if entry.lfs else git_hash(content)):
            raise ValueError(f"{file.name} has other bytes than the folder's")
    if extra := sorted(announced.keys() - {_NOT_OURS_TO_REMOVE}):
        raise ValueError(f"it also holds {', '.join(extra[:5])}")
