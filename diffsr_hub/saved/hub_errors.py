"""What the Hub refuses, as one line that says what to do; no token ever gets into it."""

from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # httpx2, or what comes after it

from diffsr_hub.errors import UserError
from diffsr_hub.saved.tokens import without_tokens

_LOGIN = "log in with `hf auth login`, or set HF_TOKEN"
CLIENT_ERRORS = (httpx.HTTPError, OSError, RuntimeError, ValueError)
"""whatever huggingface_hub raises when the Hub, the network, the cache or an argument is not as it should be"""
_KINDS: dict[type[Exception], str] = {
    OfflineModeIsEnabled: "HF_HUB_OFFLINE is set, so that nothing is asked: unset it",
    HFValidationError: "a repository is called like org/name",
    GatedRepoError: f"access has to be asked for on its page; then {_LOGIN}",
    RepositoryNotFoundError: f"the Hub has no such repository, or it is private: check the name, or {_LOGIN}",
    RevisionNotFoundError: "it has no such revision (branch, tag or commit)",
}
_STATUS = {
    401: f"the token was not accepted: {_LOGIN}",
    403: "this token does not have the right to do that: make one that may write at the Hub's settings",
    409: "it exists already",
    412: "somebody else published there in the meantime: look at what is there, then publish again",
    429: "it asked to wait (too many requests): try again in some minutes",
}


@contextmanager
def one_line(what: str) -> Iterator[None]:
    """Turn whatever the Hub's client raises into a `UserError` that starts with `what`.

    Raises:
        UserError: in place of the client's errors, which it does not carry along: they may show a token.
    """
    try:
        yield
    except UserError:
        raise
    except CLIENT_ERRORS as error:
        raise UserError(f"{what}: {reason(error)}") from None


def reason(error: BaseException) -> str:
    """Why the Hub's client gave up."""
    if isinstance(error, RuntimeError) and error.__cause__ is not None:  # an upload, in a thread of the client
        return reason(error.__cause__)
    if isinstance(error, LocalEntryNotFoundError) and isinstance(error.__cause__, CLIENT_ERRORS):
        return reason(error.__cause__)
    for kind, text in _KINDS.items():
        if isinstance(error, kind):
            return text
    if isinstance(error, HfHubHTTPError):
        status = getattr(error.response, "status_code", 0)
        failed = f"the Hub itself fails at the moment ({status}): try again later" if status >= 500 else brief(error)
        return _STATUS.get(status, failed)
    return brief(error)


def brief(error: BaseException) -> str:
    """An error's text on one line, without anything that looks like a token."""
    text = without_tokens(" ".join(str(error).split()))
    return text.partition(" Please make sure")[0][:300] or type(error).__name__
