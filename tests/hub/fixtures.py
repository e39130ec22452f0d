"""The loopback Hub as the only Hub that the client knows, and folders as the two stages export them."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub.constants as settings
import pytest
from huggingface_hub import file_download
from huggingface_hub.utils import _http, disable_progress_bars, enable_progress_bars

from diffsr_hub import DiffSR
from diffsr_hub.cards.card import write_card
from diffsr_hub.files.atomic import write_json
from finetune import Agent
from tests.hub.samples import AGENT_NAME, EVALUATION, FILM, MADE_OF, NAME, ONLINE, REPORT, RESULTS, png
from tests.hub.server import Hub, serve


@pytest.fixture
def folder(make_encoder: Callable[..., DiffSR], tmp_path: Path) -> Path:
    """A folder that may be published as org/diffsr-hopper."""
    folder = tmp_path / "encoder"
    make_encoder().save_pretrained(folder)
    write_json(folder / "dataset.json", MADE_OF)
    write_json(folder / "diagnostics.json", REPORT)
    (folder / "diagnostics.png").write_bytes(png())
    write_card(folder, NAME)
    return folder


@pytest.fixture
def agent_folder(make_agent: Callable[..., Agent], tmp_path: Path) -> Path:
    """A folder that may be published as org/diffsr-hopper-agent."""
    folder = tmp_path / "agent"
    make_agent().save_pretrained(folder)
    write_json(folder / "training.json", ONLINE)
    write_json(folder / "evaluation.json", {"evaluations": [EVALUATION]})
    write_json(folder / "results.json", RESULTS)
    (folder / "learning_curve.png").write_bytes(png())
    (folder / "replay.mp4").write_bytes(FILM)
    write_card(folder, AGENT_NAME)
    return folder


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the client would have waited before it asked again."""
    waited: list[float] = []
    for module in (_http, file_download):
        monkeypatch.setattr(module, "time", SimpleNamespace(sleep=waited.append, time=time.time))
    return waited


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> Iterator[Hub]:
    """A Hub, and this process as if it had been started with HF_ENDPOINT, HF_HOME and HF_TOKEN for it."""
    with serve(tmp_path / "hub") as running:
        monkeypatch.setattr(settings, "ENDPOINT", running.url)
        template = running.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(settings, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(settings, "HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
        monkeypatch.setattr(settings, "HF_TOKEN_PATH", str(tmp_path / "hf" / "token"))
        monkeypatch.setattr(settings, "HF_HUB_DISABLE_XET", True)  # the loopback Hub stores with LFS
        monkeypatch.setattr(settings, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", "hf_writer")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        disable_progress_bars()
        yield running
        enable_progress_bars()
