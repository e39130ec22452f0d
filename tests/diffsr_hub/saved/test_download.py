"""Loading over HTTP: both files of one commit, no request that is not needed, one line for whatever goes wrong."""

import errno
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import huggingface_hub.constants as settings
import numpy as np
import pytest
import torch

from diffsr_hub import DiffSR, UserError
from diffsr_hub.hub.inspect import describe
from diffsr_hub.hub.publish import publish
from diffsr_hub.saved.integrity import as_announced
from diffsr_hub.saved.kinds import from_pretrained
from tests.hub.faults import Fault
from tests.hub.samples import CLIENTS_OWN_WARNING, NAME
from tests.hub.server import Hub, serve

pytest_plugins = ["tests.hub.fixtures"]
pytestmark = pytest.mark.filterwarnings(CLIENTS_OWN_WARNING)


@pytest.fixture
def commit(hub: Hub, folder: Path) -> str:
    """An encoder is published; nothing is cached."""
    found = publish(folder, NAME, tag="v1").commit
    hub.requests.clear()
    return found


def refusal(source: str | Path = NAME, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        from_pretrained(source, **options)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 700, message
    assert caught.value.__cause__ is None or "hf_" not in repr(caught.value.__cause__)
    return message


def move(hub: Hub, model: DiffSR, tmp_path: Path) -> str:
    """Publish another version."""
    model.save_pretrained(tmp_path / "moved")
    return hub.store.plant(NAME, {file.name: file.read_bytes() for file in (tmp_path / "moved").iterdir()})


# --- what is asked ---------------------------------------------------------------------------------------------------


def test_the_class_is_the_one_that_the_configuration_names(commit: str, folder: Path) -> None:
    for source in (NAME, folder):
        model = from_pretrained(source)
        assert type(model) is DiffSR and not model.training
    expected = DiffSR.from_pretrained(folder)
    obs, action = torch.randn(4, 3), torch.rand(4, 2)
    assert torch.equal(from_pretrained(NAME).psi(obs, action), expected.psi(obs, action))


def test_a_pinned_commit_that_is_cached_makes_no_request(hub: Hub, commit: str) -> None:
    from_pretrained(NAME, revision=commit)
    assert len(hub.requests) == len(hub.asked("config.json|model.safetensors|/lfs/")) > 0
    hub.requests.clear()
    from_pretrained(NAME, revision=commit)
    DiffSR.from_pretrained(NAME, revision=commit)
    assert hub.requests == []


def test_a_branch_that_is_cached_costs_one_request(hub: Hub, commit: str) -> None:
    from_pretrained(NAME)
    hub.requests.clear()
    from_pretrained(NAME)
    assert hub.requests == [f"HEAD /{NAME}/resolve/main/config.json"]


@pytest.mark.parametrize(("moves_at", "expected"), [("model.safetensors", 3), ("GET .*config.json", 9)])
def test_both_files_are_of_one_commit_although_the_branch_moves_in_between(
    hub: Hub,
    commit: str,
    make_encoder: Callable[..., DiffSR],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    moves_at: str,
    expected: int,
) -> None:
    resolve = hub.store.resolve

    def moved(kind: str, name: str, revision: str) -> str:
        if hub.asked(moves_at):
            monkeypatch.setattr(hub.store, "resolve", resolve)
            move(hub, make_encoder(obs_dim=9), tmp_path)
        return resolve(kind, name, revision)

    monkeypatch.setattr(hub.store, "resolve", moved)
    assert from_pretrained(NAME).arguments["obs_dim"] == expected
    assert from_pretrained(NAME).arguments["obs_dim"] == 9


@pytest.mark.parametrize("revision", ["v1", None, "commit"])
def test_tags_branches_and_commits_name_their_version(
    hub: Hub, commit: str, make_encoder: Callable[..., DiffSR], tmp_path: Path, revision: str | None
) -> None:
    move(hub, make_encoder(obs_dim=9), tmp_path)
    model = from_pretrained(NAME, revision=commit if revision == "commit" else revision)
    assert model.arguments["obs_dim"] == (9 if revision is None else 3)


def unplug(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the client at a port that nobody listens to any more."""
    with serve(hub.store.root) as stopped:
        pass
    monkeypatch.setattr(settings, "ENDPOINT", stopped.url)
    template = settings.HUGGINGFACE_CO_URL_TEMPLATE.replace(hub.url, stopped.url)
    monkeypatch.setattr(settings, "HUGGINGFACE_CO_URL_TEMPLATE", template)


# --- offline ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["offline", "local_files_only", "unplugged"])
def test_what_is_cached_is_loaded_without_a_network(
    hub: Hub, commit: str, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    from_pretrained(NAME)
    hub.requests.clear()
    monkeypatch.setattr(settings, "HF_HUB_OFFLINE", way == "offline")
    if way == "unplugged":
        unplug(hub, monkeypatch)
    only = {"local_files_only": way == "local_files_only"}
    assert from_pretrained(NAME, **only).arguments["obs_dim"] == 3
    assert from_pretrained(NAME, revision=commit, **only).arguments["obs_dim"] == 3
    assert hub.requests == []
    for options in ({"source": "org/other"}, {"revision": "v2"}, {"revision": "0" * 40}):
        message = refusal(**{"source": NAME} | options | only)
        assert "is neither a folder nor cached, and the Hub was not reached" in message


def test_the_environment_of_the_process_is_respected(hub: Hub, commit: str, tmp_path: Path) -> None:
    """HF_ENDPOINT, HF_HOME, HF_TOKEN and HF_HUB_OFFLINE are read by the client when it is imported."""
    hub.store.change("models", NAME, private=True)
    program = (
        f"from diffsr_hub.saved.kinds import from_pretrained; print(from_pretrained({NAME!r}).arguments['obs_dim'])"
    )
    home = {"HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1,localhost"}
    for settings_ in ({"HF_TOKEN": "hf_reader"}, {"HF_HUB_OFFLINE": "1"}):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={key: value for key, value in os.environ.items() if not key.startswith("HF_")}
            | {"HF_ENDPOINT": hub.url, "OMP_NUM_THREADS": "1"}
            | home
            | settings_,
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, "3\n"), done.stderr
    assert hub.asked("HEAD .*config.json") == [f"HEAD /{NAME}/resolve/main/config.json"]
    assert (tmp_path / "home" / "hub").is_dir()


# --- what is not there, and who may not see it -----------------------------------------------------------------------


def test_what_is_gone_is_told_apart(hub: Hub, commit: str) -> None:
    assert "the Hub has no such repository, or it is private: check the name, or log in" in refusal("org/gone")
    assert refusal(revision="v9") == f"{NAME} on the Hub has no revision 'v9' (branch, tag or commit)"
    assert refusal(revision="0" * 40) == f"{NAME} on the Hub has no revision '{'0' * 40}' (branch, tag or commit)"
    hub.store.plant("org/llama", {"config.json": b"{}"})
    assert "has no config.json and model.safetensors: it is not a model of diffsr-hub" in refusal("org/llama")


def test_private_and_gated_repositories(hub: Hub, commit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.store.change("models", NAME, private=True)
    monkeypatch.setenv("HF_TOKEN", "")
    assert "or it is private: check the name, or log in with `hf auth login`, or set HF_TOKEN" in refusal()
    assert "the token was not accepted" in (wrong := refusal(token="hf_wrong")) and "hf_wrong" not in wrong
    assert from_pretrained(NAME, token="hf_reader").arguments["obs_dim"] == 3


def test_access_has_to_be_asked_for(hub: Hub, commit: str) -> None:
    hub.store.change("models", NAME, gated="manual")
    assert "access has to be asked for on its page" in refusal()


@pytest.mark.parametrize("token", ["hf_bro\nken", "hf_br\u00f6ken", "hf_broken\0"])
def test_a_token_that_no_header_can_hold_is_not_shown(hub: Hub, commit: str, token: str) -> None:
    message = refusal(token=token)
    assert "bro" not in message and "br\u00f6" not in message


def test_a_folder_has_no_revisions(folder: Path) -> None:
    for call in (from_pretrained, DiffSR.from_pretrained, describe):
        with pytest.raises(UserError, match=r"is a folder, which has no revisions: leave 'v1' out"):
            call(str(folder), revision="v1")


# --- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["config.json", "/lfs/"])
@pytest.mark.parametrize("does", ["status", "hang up", "cut", "truncate", "alter"])
@pytest.mark.parametrize("times", [1, 1_000])
def test_a_broken_download_is_repaired_or_one_line_and_never_loaded(
    hub: Hub, commit: str, file: str, does: Any, times: int
) -> None:
    hub.faults = [Fault(f"^(GET|HEAD) .*{file}", does=does, times=times)]
    try:
        model = from_pretrained(NAME)
    except UserError as error:
        assert "\n" not in str(error) and len(str(error)) < 700
    else:
        assert torch.isfinite(model.psi(torch.zeros(3), torch.zeros(2))).all() and times == 1
    hub.faults = []
    model = from_pretrained(NAME)  # whatever the first attempt left in the cache
    assert model.arguments["obs_dim"] == 3


def test_the_server_says_when_to_ask_again(hub: Hub, commit: str, waits: list[float]) -> None:
    hub.faults = [Fault("/lfs/", status=429, headers={"Retry-After": "7"})]
    from_pretrained(NAME)
    assert waits == [8]


def test_weights_that_rotted_in_the_cache_are_downloaded_again(hub: Hub, commit: str) -> None:
    from_pretrained(NAME, revision=commit)
    (weights,) = Path(settings.HF_HUB_CACHE).glob("models--*/snapshots/*/model.safetensors")
    content = weights.read_bytes()
    weights.resolve().write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert not as_announced(weights)
    assert "model.safetensors does not have the hash that the Hub announced" in refusal(
        revision=commit, local_files_only=True
    )
    from_pretrained(NAME, revision=commit)
    assert weights.read_bytes() == content and as_announced(weights)


def test_a_disk_that_is_full_and_a_cache_that_cannot_be_written(
    hub: Hub, commit: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("huggingface_hub.file_download._download_to_tmp_and_move", full)
        assert "the Hub did not give it: [Errno 28] No space left on device" in refusal()
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(settings, "HF_HUB_CACHE", str(tmp_path / "file" / "hub"))  # root may write anywhere else
    assert "the Hub did not give it: [Errno 20] Not a directory" in refusal()


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_cache_for_reading_only_serves_what_is_pinned(
    hub: Hub,
    commit: str,
    monkeypatch: pytest.MonkeyPatch,
    make_encoder: Callable[..., DiffSR],
    tmp_path: Path,
    number: int,
) -> None:
    from_pretrained(NAME, revision=commit)
    move(hub, make_encoder(obs_dim=9), tmp_path)

    def read_only(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("huggingface_hub.file_download._download_to_tmp_and_move", read_only)
    message = refusal()
    assert f"{NAME}: the cache cannot be written ([Errno {number}] {os.strerror(number)})" in message
    assert message.endswith("; load a commit that is in it, or set HF_HOME")
    assert from_pretrained(NAME, revision=commit).arguments["obs_dim"] == 3


# --- does it fit the environment -------------------------------------------------------------------------------------

BOX = gym.spaces.Box(-1, 1, (3,))
FITS = [
    (BOX, gym.spaces.Box(-1, 1, (2,))),
    (gym.spaces.Box(-1, 1, (1, 3)), gym.spaces.Discrete(2, start=5)),
    (gym.spaces.Dict(a=gym.spaces.Box(-1, 1, (1,)), b=gym.spaces.Discrete(2)), gym.spaces.MultiBinary(2)),
    (gym.spaces.Tuple([gym.spaces.Discrete(2), gym.spaces.Box(-1, 1, ())]), gym.spaces.MultiDiscrete(np.array([2]))),
]


@pytest.mark.parametrize(("observation_space", "action_space"), FITS)
def test_an_environment_of_its_sizes_fits(folder: Path, observation_space: Any, action_space: Any) -> None:
    env = SimpleNamespace(observation_space=observation_space, action_space=action_space)
    assert sum(gym.spaces.flatdim(space) for space in vars(env).values()) == 5
    from_pretrained(folder, env=env)


def test_a_vector_of_environments_is_looked_at_as_one(folder: Path) -> None:
    one = {"single_observation_space": BOX, "single_action_space": gym.spaces.Discrete(2)}
    batch = {"observation_space": gym.spaces.Box(-1, 1, (7, 3)), "action_space": gym.spaces.MultiDiscrete([2] * 7)}
    from_pretrained(folder, env=SimpleNamespace(**one, **batch))


def test_what_does_not_fit_is_named(folder: Path) -> None:
    env = SimpleNamespace(observation_space=gym.spaces.Box(-1, 1, (17,)), action_space=gym.spaces.Discrete(6))
    message = refusal(folder, env=env)
    assert "its observation_space has 17 numbers, and the model's obs_dim is 3" in message
    assert "its action_space has 6 numbers, and the model's action_dim is 2" in message
    assert message.endswith("one that fits has obs_dim 17 and action_dim 6")
    odd = SimpleNamespace(observation_space=gym.spaces.Text(5), action_space=gym.spaces.Graph(BOX, None))
    assert len(re.findall("cannot be flattened into numbers", refusal(folder, env=odd))) == 2
    assert len(re.findall("cannot be flattened into numbers", refusal(folder, env=object()))) == 2


def test_actions_without_bounds_cannot_be_scaled(folder: Path) -> None:
    endless = gym.spaces.Box(-np.inf, np.inf, (1,))
    for actions in (gym.spaces.Box(-1, np.inf, (2,)), gym.spaces.Dict(a=endless, b=gym.spaces.Box(-1, 1, (1,)))):
        env = SimpleNamespace(observation_space=gym.spaces.Box(-np.inf, np.inf, (3,)), action_space=actions)
        assert "have no bounds, by which they are scaled to [-1, 1]" in refusal(folder, env=env)


@pytest.mark.parametrize(
    "actions",
    [
        gym.spaces.Discrete(2),
        gym.spaces.MultiBinary(2),
        gym.spaces.Dict(a=gym.spaces.Box(-2, 1, (2,))),
        gym.spaces.Box(-2, 1, (1, 2)),
        gym.spaces.Box(-2, 2, (2,)),
        gym.spaces.Box(-1, 1, (2,)),
        gym.spaces.Box(-np.inf, np.inf, (2,)),
    ],
    ids=str,
)
def test_an_agent_fits_where_it_can_act(agent_folder: Path, actions: Any) -> None:
    from_pretrained(agent_folder, env=SimpleNamespace(observation_space=BOX, action_space=gym.spaces.Box(-2, 1, (2,))))
    message = refusal(agent_folder, env=SimpleNamespace(observation_space=BOX, action_space=actions))
    assert ("its actions" in message and "[-2.0, -2.0] to [1.0, 1.0]" in message) or "have no bounds" in message
