"""Minari's remote: whether it may be asked, whether it answers, what it has, and downloading from it."""

import os
import threading
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from diffsr_hub.data.minari.ids import is_id
from diffsr_hub.data.minari.source import datasets_root, make_root
from diffsr_hub.errors import UserError

_TRUE = ("1", "ON", "YES", "TRUE")
_GATEWAY_FAILED = (407, 502, 503, 504)  # a proxy answers, but not the remote behind it
_PATIENCE_SECONDS = 3.0


class RemoteError(Exception):
    """The remote could not be asked; the text says why, in one line."""


def offline() -> bool:
    """Whether the user forbade all network, by `HF_HUB_OFFLINE` (or `TRANSFORMERS_OFFLINE`, which implies it)."""
    return any(os.environ.get(name, "").upper() in _TRUE for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))


def remote_name() -> str:
    """Where Minari downloads from, e.g. `hf://farama-minari`; `MINARI_REMOTE` chooses."""
    return os.environ.get("MINARI_REMOTE") or "hf://farama-minari"


def endpoint() -> str:
    """The address behind the remote."""
    if remote_name().startswith("gcp://"):
        return "https://storage.googleapis.com"
    return os.environ.get("HF_ENDPOINT") or "https://huggingface.co"


def reachable() -> bool:
    """Ask the endpoint for any answer, for 3 seconds: Minari itself would try a dead network for 25.

    In a thread, because looking up a name knows no time limit.
    """
    answers: list[bool] = []
    prober = threading.Thread(target=lambda: answers.append(_answers(endpoint())), daemon=True)
    prober.start()
    prober.join(_PATIENCE_SECONDS)
    return bool(answers) and answers[0]


def remote_ids(prefix: str) -> list[str]:
    """Ids that start with `prefix` (a plain string prefix) and that the installed Minari can read.

    Raises:
        RemoteError: the remote did not answer as it should.
    """
    import minari

    with _remote_errors(f"listing {prefix}*"):
        return sorted(filter(is_id, minari.list_remote_datasets(prefix=prefix, compatible_minari_version=True)))


def download(identifier: str) -> None:
    """Download a dataset; what an interrupted download left is replaced.

    Raises:
        UserError: it did not arrive.
    """
    import minari

    try:
        with _remote_errors(f"downloading {identifier}"):
            minari.download_dataset(identifier, force_download=(make_root() / identifier).exists())
    except RemoteError as error:
        raise UserError(f"{error}; check the network and the space in {datasets_root()}, then start again") from error


def _answers(url: str) -> bool:
    request = urllib.request.Request(url, method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=_PATIENCE_SECONDS).close()
    except urllib.error.HTTPError as error:
        error.close()
        return error.code not in _GATEWAY_FAILED
    except (OSError, ValueError):
        return False
    return True


@contextmanager
def _remote_errors(doing: str) -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about newer versions and namespaces: the resolved ids are printed anyway
            yield
    except Exception as error:  # three HTTP libraries and two clouds: there is no common type
        reason = (str(error).splitlines() or [""])[0]
        raise RemoteError(f"{doing} from {remote_name()} failed ({type(error).__name__}: {reason})") from error
