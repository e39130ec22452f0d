"""Access tokens and passwords within a text: whether there is one, and the text without them."""

import re

from huggingface_hub import get_token

_PASSWORD = r"(?<=://)[^/@\s]+(?=@)"
_HEADER = r"(?<=[Bb]earer )[^\s'\"]+"
_TOKEN = r"\bhf_(?!hub_)[^\s'\"]+"
_SECRET = re.compile(f"{_PASSWORD}|{_HEADER}|{_TOKEN}")
_WHOLE_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{20,}")


def without_tokens(text: str) -> str:
    """The text with `***` in place of whatever looks like a token or a password, and of this machine's own token."""
    own = get_token()
    return _SECRET.sub("***", text.replace(own, "***") if own else text)


def holds_token(text: str) -> bool:
    """Whether a text that would be published has somebody's token in it: one of the Hub's form, or this machine's."""
    own = get_token()
    return bool(_WHOLE_TOKEN.search(text) or (own and own in text))
