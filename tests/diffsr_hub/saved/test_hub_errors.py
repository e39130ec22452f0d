"""What the Hub's client raises, as one line without tokens."""

import pytest
from huggingface_hub.errors import OfflineModeIsEnabled
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]

from diffsr_hub import UserError
from diffsr_hub.saved.hub_errors import brief, one_line


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError("a\n\n b"), "it failed: a b"),
        (
            httpx.LocalProtocolError("Illegal header value b'Bearer hf_abc\\n'"),
            "it failed: Illegal header value b'Bearer ***'",
        ),
        (ValueError("hf_abc def"), "it failed: *** def"),
        (
            OSError("unset HF_HUB_OFFLINE, set HF_ENDPOINT for hf_hub_download"),
            "it failed: unset HF_HUB_OFFLINE, set HF_ENDPOINT for hf_hub_download",
        ),
        (OSError("no route to http://user:secret@mirror:80/x@y"), "it failed: no route to http://***@mirror:80/x@y"),
        (OSError("login token-of-mirror failed"), "it failed: login *** failed"),
        (OfflineModeIsEnabled("x"), "it failed: HF_HUB_OFFLINE is set, so that nothing is asked: unset it"),
        (httpx.ReadTimeout(""), "it failed: ReadTimeout"),
        (RuntimeError("upload"), "it failed: upload"),
    ],
)
def test_every_error_of_the_client_is_one_line(
    error: Exception, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "token-of-mirror")
    with pytest.raises(UserError) as caught, one_line("it failed"):
        raise error
    assert str(caught.value) == expected and caught.value.__cause__ is None


def test_the_cause_is_told_where_an_upload_failed_in_a_thread() -> None:
    with pytest.raises(UserError, match="it failed: broken pipe"), one_line("it failed"):
        raise RuntimeError("Error while uploading") from OSError("broken pipe")


def test_ours_pass_and_mistakes_of_ours_are_not_hidden() -> None:
    with pytest.raises(UserError, match=r"^mine$"), one_line("it failed"):
        raise UserError("mine")
    with pytest.raises(KeyError), one_line("it failed"):
        raise KeyError("bug")


def test_the_clients_advice_is_left_out() -> None:
    assert brief(OSError("Repository Not Found. Please make sure you …")) == "Repository Not Found."
    assert len(brief(OSError("x" * 1_000))) == 300
