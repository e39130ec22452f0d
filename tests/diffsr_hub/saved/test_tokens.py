"""No text shows a token, whether it has the Hub's form or is this machine's own."""

import pytest

from diffsr_hub.saved.tokens import holds_token, without_tokens

LONG = "hf_" + "aB3" * 12


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"token {LONG}.", "token ***"),
        ("Bearer abc def", "Bearer *** def"),
        ("http://user:secret@mirror/x@y", "http://***@mirror/x@y"),
        ("login token-of-mirror failed", "login *** failed"),
        ("hf_hub_download", "hf_hub_download"),
    ],
)
def test_tokens_and_passwords_are_taken_out(text: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "token-of-mirror")
    assert without_tokens(text) == expected


@pytest.mark.parametrize(("text", "holds"), [(LONG, True), ("a token-of-mirror b", True), ("hf_hub_download", False)])
def test_a_text_that_would_publish_one_is_known(text: str, holds: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "token-of-mirror")
    assert holds_token(text) is holds
