"""What the Hub takes as the name of a repository, a branch or a tag: known before anything is sent."""

import re

from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # public, but not listed there

from diffsr_hub.errors import UserError

_REF = re.compile(r"(?!refs/)\w[\w.-]*(/\w[\w.-]*)*", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_LONGEST_REF = 100


def check_repository(name: str) -> None:
    """Refuse what is no repository.

    Raises:
        UserError: It is not like org/name.
    """
    try:
        validate_repo_id(name if "/" in name else "")
    except HFValidationError:
        raise UserError(f"{name[:100]!r} is no repository: one is called like org/name") from None


def check_ref(flag: str, name: str) -> None:
    """Refuse what is no branch and no tag, by git's rules and a little more strictly.

    Args:
        flag: From which the name comes, such as `--tag`.
        name: Of a branch or a tag.

    Raises:
        UserError: It is not like v1 or wide/net.
    """
    if _COMMIT.fullmatch(name):
        raise UserError(f"{flag} takes a name such as v1, and {name} is a commit, which never changes")
    if len(name) > _LONGEST_REF or not _REF.fullmatch(name) or re.search(r"\.\.|\.(lock)?(/|$)", name):
        raise UserError(
            f"{flag} {name[:_LONGEST_REF]!r} is no name of a branch or a tag: "
            f"those are like v1.0 or wide/net, of at most {_LONGEST_REF} characters"
        )
