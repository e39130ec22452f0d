"""Publishing over HTTP: the folder as it is, whole or not at all, and never over something else."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub.constants as settings
import pytest
from huggingface_hub import snapshot_download

from diffsr_hub import DiffSR, UserError, cli
from diffsr_hub.cards.card import write_card
from diffsr_hub.files.atomic import write_json
from diffsr_hub.hub.publish import publish
from diffsr_hub.hub.publishable import publishable
from tests.hub.faults import Fault
from tests.hub.samples import CLIENTS_OWN_WARNING, NAME, png
from tests.hub.server import Hub
from tests.hub.store import Refusal

pytest_plugins = ["tests.hub.fixtures"]
pytestmark = pytest.mark.filterwarnings(CLIENTS_OWN_WARNING)


def contents(folder: str | Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in Path(folder).iterdir()}


def rewrite(folder: Path, model: DiffSR | None = None, **facts: Any) -> None:
    """Make another version: of another model, or of other facts in diagnostics.json."""
    if model is not None:
        model.save_pretrained(folder)
    report = json.loads((folder / "diagnostics.json").read_text())
    write_json(folder / "diagnostics.json", report | facts)
    write_card(folder, NAME)


def refusal(folder: Path, name: str = NAME, **options: Any) -> str:
    """The message with which publishing is refused; the folder is as it was."""
    before = contents(folder) if folder.is_dir() else {}
    with pytest.raises(UserError) as caught:
        publish(folder, name, **options)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 700, message
    assert "hf_" not in message.replace("hf_hub_", "")
    assert not before or contents(folder) == before
    return message


# --- what is there afterwards ----------------------------------------------------------------------------------------


def test_what_is_published_is_the_folder_byte_for_byte_in_one_commit(hub: Hub, folder: Path) -> None:
    done = publish(folder, NAME)
    assert done.url == f"{hub.url}/{NAME}"
    found = contents(snapshot_download(NAME, revision=done.commit, ignore_patterns=[".gitattributes"]))
    assert found == contents(folder)
    assert len(hub.asked("/commit/")) == 1
    loaded, exported = DiffSR.from_pretrained(NAME, revision=done.commit), DiffSR.from_pretrained(folder)
    for name, tensor in exported.state_dict().items():
        assert tensor.equal(loaded.state_dict()[name])


def test_a_new_version_replaces_the_old_one_and_the_old_commit_stays(
    hub: Hub, folder: Path, make_encoder: Callable[..., DiffSR]
) -> None:
    old_files, old = contents(folder), publish(folder, NAME, tag="v1").commit
    hub.store.plant(NAME, {"leftover.md": b"of an older format"})
    rewrite(folder, make_encoder(seed=1))
    new = publish(folder, NAME, message="Better").commit
    assert set(hub.store.files("models", NAME, new)) == {*contents(folder), ".gitattributes"}
    assert hub.store.read("models", NAME)["commits"][new]["title"] == "Better"
    for revision in ("v1", old):
        assert contents(snapshot_download(NAME, revision=revision, ignore_patterns=[".gitattributes"])) == old_files


def test_publishing_the_same_again_changes_nothing(hub: Hub, folder: Path) -> None:
    assert publish(folder, NAME) == publish(folder, NAME)
    assert len(hub.store.read("models", NAME)["commits"]) == 2


def test_a_branch_is_made_and_main_stays_as_it_is(hub: Hub, folder: Path) -> None:
    done = publish(folder, NAME, revision="wide/net")
    assert hub.store.resolve("models", NAME, "wide/net") == done.commit
    assert set(hub.store.files("models", NAME, "main")) == {".gitattributes"}
    assert publish(folder, NAME, revision="wide/net") == done


def test_private_is_private_from_the_first_moment(hub: Hub, folder: Path) -> None:
    publish(folder, NAME, private=True)
    assert hub.store.read("models", NAME)["private"] is True
    publish(folder, NAME)
    assert hub.store.read("models", NAME)["private"] is True


def test_a_public_repository_is_not_taken_for_a_private_one(hub: Hub, folder: Path) -> None:
    before = hub.store.plant(NAME, {})
    assert "exists and is public" in refusal(folder, private=True)
    assert hub.store.resolve("models", NAME, "main") == before


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_prints_address_and_commit(hub: Hub, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["publish", str(folder), NAME, "--tag", "v1", "--revision", "b", "--message", "m", "--private"])
    url, commit, load = capsys.readouterr().out.splitlines()
    assert url == f"{hub.url}/{NAME}"
    assert commit == f"commit {hub.store.resolve('models', NAME, 'v1')}"
    assert load == f'DiffSR.from_pretrained("{NAME}", revision="{commit.split()[1]}")'


def test_a_password_in_the_address_of_the_hub_is_not_printed(
    hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "ENDPOINT", hub.url.replace("http://", "http://user:secret@"))
    hub.tokens["Basic dXNlcjpzZWNyZXQ="] = True  # what the client sends for that, and no token
    done = publish(folder, NAME)
    assert done.url == f"{hub.url}/{NAME}".replace("http://", "http://***@")


def test_a_dry_run_shows_files_and_sizes_and_asks_nothing(
    hub: Hub, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["publish", str(folder), NAME, "--dry_run"])
    out = capsys.readouterr().out
    for name, content in contents(folder).items():
        assert re.search(rf"^ +{len(content):,}  {re.escape(name)}$", out, re.MULTILINE)
    assert hub.requests == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: folder, org/name (see diffsr publish --help)"),
        (["nowhere", NAME, "--dry_run"], "nowhere is not a folder"),
        (["nowhere", "name"], "'name' is no repository: one is called like org/name"),
        (["nowhere", "../name"], "'../name' is no repository: one is called like org/name"),
        (["nowhere", NAME, "--tags=v1"], "unrecognized arguments: --tags=v1 (see diffsr publish --help)"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["publish", *arguments])
    assert (end.value.code, capsys.readouterr().err) == (2, f"error: {message}\n")


def test_the_card_is_written_anew_for_a_repository(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["card", str(folder)])
    assert 'from_pretrained("path/to/this/folder")' in (folder / "README.md").read_text()
    cli.main(["card", str(folder), "--repository", "org/other"])
    assert 'from_pretrained("org/other")' in (folder / "README.md").read_text()
    assert capsys.readouterr().out == f"{folder / 'README.md'}\n" * 2


# --- a folder that is not ready --------------------------------------------------------------------------------------


def edit_card(folder: Path, old: str, new: str) -> None:
    text = (folder / "README.md").read_text()
    assert old in text
    (folder / "README.md").write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.900", "0.999"),
        ("license: mit\n", ""),
        ("license: mit\n", "license: &a mit\nx: *a\n"),
        ("## Limits", "## Limits <script>alert(1)</script>"),
        (f'"{NAME}"', '"path/to/this/folder"'),
        (f'"{NAME}"', '"org/other"'),
        ("](diagnostics.png)", "](../secret.png)"),
    ],
)
def test_a_card_that_its_files_do_not_render_is_refused_and_nothing_is_asked(
    hub: Hub, folder: Path, old: str, new: str
) -> None:
    edit_card(folder, old, new)
    assert refusal(folder) == (
        f"{folder / 'README.md'} is not what its files say of {NAME}: "
        f"`diffsr card {folder} --repository {NAME}` writes it anew"
    )
    assert hub.requests == []


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"x" * 2_000_000], ids=["nothing", "no text", "too large"])
def test_a_card_that_is_none(folder: Path, content: bytes) -> None:
    (folder / "README.md").write_bytes(content)
    assert "README.md is not what its files say" in refusal(folder)


def test_a_card_tells_to_load_the_repository_that_it_is_published_in(hub: Hub, folder: Path) -> None:
    assert "is not what its files say of org/other: " in refusal(folder, "org/other")
    cli.main(["card", str(folder), "--repository", "org/other"])
    publish(folder, "org/other")


@pytest.mark.parametrize("name", ["dataset.json", "diagnostics.json", "transfer.json"])
@pytest.mark.parametrize("content", ["", "{", "{}", "[]", "null", '{"rows": NaN}'])
def test_a_file_that_a_card_cannot_be_written_from_is_named(hub: Hub, folder: Path, name: str, content: str) -> None:
    (folder / name).write_text(content)
    assert name in refusal(folder)
    assert hub.requests == []


@pytest.mark.parametrize("name", ["not a repo", "", "name", "org/name.git", 'org/x"); import os; ("'])
def test_a_card_is_written_for_a_repository_only(folder: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(folder)
    with pytest.raises(SystemExit):
        cli.main(["card", str(folder), "--repository", name])
    assert capsys.readouterr().err == f"error: {name!r} is no repository: one is called like org/name\n"
    assert contents(folder) == before


def test_a_picture_that_is_none(folder: Path) -> None:
    (folder / "diagnostics.png").write_bytes(b"<script>")
    assert "diagnostics.png is not a picture" in refusal(folder)


@pytest.mark.parametrize("name", ["last.ckpt", "model.pt", ".env", "pytorch_model.bin", "replay_buffer.pkl", "x.py"])
def test_other_files_are_never_published(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"")
    assert f"holds {name!r}, which would be published: move it away" in refusal(folder)


@pytest.mark.parametrize(
    "name", ["README.md", "dataset.json", "diagnostics.json", "diagnostics.png", "model.safetensors"]
)
def test_a_part_of_an_export_is_not_published(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert f"lacks {name}: it is not a whole export" in refusal(folder)


def test_links_are_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("{}")
    (folder / "dataset.json").unlink()
    (folder / "dataset.json").symlink_to(tmp_path / "secret")
    assert "dataset.json is a link or a folder" in refusal(folder)


@pytest.mark.parametrize("token", ["hf_" + "aB3" * 12, "hf_writer"])
def test_a_token_in_a_text_is_not_published(hub: Hub, folder: Path, token: str) -> None:
    made_of = json.loads((folder / "dataset.json").read_text())
    made_of["training"]["command"] = f"HF_TOKEN={token} diffsr pretrain"
    write_json(folder / "dataset.json", made_of)
    write_card(folder, NAME)
    assert re.search(r"(README.md|dataset.json) holds an access token: take it out, revoke it", refusal(folder))
    assert hub.requests == []


def test_a_folder_that_does_not_load_strictly(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"feature_dim": 7}))
    assert "does not fit its config.json" in refusal(folder)
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "GPT"}))
    assert "unknown model_type in" in refusal(folder)


def test_a_good_folder_is_listed_by_name(folder: Path) -> None:
    assert [file.name for file in publishable(folder, NAME)] == sorted(contents(folder))


# --- what is there already -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.bin": b"", "b.md": b""}, "no config.json, but a.bin, b.md"),
        ({"config.json": b'{"model_type": "llama"}'}, "a config.json that is not of diffsr-hub"),
        ({"config.json": b"["}, "a config.json that is not of diffsr-hub"),
        ({"config.json": b"[]"}, "a config.json that is not of diffsr-hub"),
    ],
)
def test_a_repository_of_another_kind_is_never_overwritten(
    hub: Hub, folder: Path, files: dict[str, bytes], message: str
) -> None:
    before = hub.store.plant(NAME, files)
    assert refusal(folder) == f"{NAME} holds something else ({message}); publish under another name"
    assert hub.store.resolve("models", NAME, "main") == before


def test_a_tag_is_never_moved(hub: Hub, folder: Path) -> None:
    before = publish(folder, NAME, tag="v1").commit
    rewrite(folder, discount=0.9)
    assert "already has a tag v1" in refusal(folder, tag="v1")
    assert hub.store.resolve("models", NAME, "main") == before


def test_a_tag_of_this_very_version_is_fine(hub: Hub, folder: Path) -> None:
    assert publish(folder, NAME, tag="v1") == publish(folder, NAME, tag="v1")
    assert len(hub.asked("^POST .*/tag/")) == 1


@pytest.mark.parametrize(
    "options",
    [{"revision": "agent"}, {"revision": "agent", "tag": "v2"}, {"tag": "v1"}, {"revision": "b", "tag": "v1"}],
)
def test_a_refusal_changes_nothing_not_even_the_branches(
    hub: Hub, folder: Path, agent_folder: Path, options: dict[str, str]
) -> None:
    publish(folder, NAME, tag="v1")
    before = hub.store.read("models", NAME)
    if "agent" in options.values():
        write_card(agent_folder, NAME)
        assert "holds something else (a DiffSR, not a Agent)" in refusal(agent_folder, **options)
    else:
        rewrite(folder, discount=0.9)
        assert "already has a tag v1" in refusal(folder, **options)
    assert hub.store.read("models", NAME) == before


def test_a_branch_is_no_tag_and_a_tag_no_branch(hub: Hub, folder: Path) -> None:
    publish(folder, NAME, tag="v1")
    assert f"v1 is a tag of {NAME}, which never moves; --revision takes a branch" in refusal(folder, revision="v1")
    assert f"main is a branch of {NAME}, which moves; --tag takes another name" in refusal(folder, tag="main")
    assert "b is a branch" in refusal(folder, revision="b", tag="b")


@pytest.mark.parametrize(
    "name", ["", "bad name", "a..b", "x" * 101, "-x", "a/", "a//b", "v1.lock", "refs/pr/1", "v1\n", "0" * 40]
)
@pytest.mark.parametrize("flag", ["revision", "tag"])
def test_a_name_that_the_hub_would_not_take_is_refused_before_it_is_asked(
    hub: Hub, folder: Path, flag: str, name: str
) -> None:
    assert f"--{flag} " in refusal(folder, **{flag: name})
    assert hub.requests == []


@pytest.mark.parametrize("files", [["README.md"], ["README.md", "LICENSE"]])
def test_a_repository_that_the_hubs_page_made_is_empty(hub: Hub, folder: Path, files: list[str]) -> None:
    hub.store.plant(NAME, dict.fromkeys(files, b"license: mit"))
    publish(folder, NAME)
    there = hub.store.files("models", NAME, "main")
    assert set(there) == {*contents(folder), ".gitattributes", *files}


# --- faults ----------------------------------------------------------------------------------------------------------


REQUESTS = [
    "^GET /api/models/org",
    "/repos/create",
    "^GET .*/refs",
    "^POST .*/branch/",
    "/validate-yaml",
    "/preupload/",
    "objects/batch",
    "^PUT /lfs",
    "^POST /lfs/.*/verify",
    "/commit/",
    "^POST .*/tag/",
]


@pytest.mark.parametrize("times", [1, 100])
@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("does", ["status", "hang up", "stop reading", "cut"])
def test_a_failing_server_leaves_the_old_version_or_has_the_new_one(
    hub: Hub, folder: Path, request_: str, does: Any, times: int
) -> None:
    """A new repository for the request that makes one; else a new version of a model, on a branch if one is made."""
    old, branch = set(), "side" if "branch" in request_ else "main"
    if "create" not in request_:
        old = {publish(folder, NAME).commit}
        rewrite(folder, discount=0.9)
        (folder / "diagnostics.png").write_bytes(png() + b"another")
    before = contents(folder)
    hub.faults = [Fault(request_, does=does, times=times)]
    try:
        publish(folder, NAME, revision=branch, tag="v2")
    except UserError as error:
        assert "\n" not in str(error)
        there = hub.store.read("models", NAME)["branches"] if NAME in hub.store.repositories("models") else {}
        told = re.search(r"has the commit (\w+), but maybe not the tag v2: repeat the command: ", str(error))
        if told:
            assert there[branch] == told[1]
        else:
            assert str(error).startswith(f"{folder} was not published as {NAME}: ")
            assert set(there.values()) <= old or not old
    hub.faults = []
    assert contents(folder) == before
    done = publish(folder, NAME, revision=branch, tag="v2")  # the next attempt works, whatever the first one left
    assert hub.store.resolve("models", NAME, "v2") == done.commit == hub.store.resolve("models", NAME, branch)
    assert contents(snapshot_download(NAME, revision="v2", ignore_patterns=[".gitattributes"])) == before


@pytest.mark.parametrize(("status", "does"), [(500, "status"), (503, "status"), (0, "cut")])
def test_a_commit_that_is_there_is_found_although_its_answer_was_lost(
    hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch, status: int, does: str
) -> None:
    old = publish(folder, NAME).commit
    rewrite(folder, discount=0.9)
    commit = hub.store.commit

    def lost(*arguments: Any) -> str:
        monkeypatch.setattr(hub.store, "commit", commit)
        oid = commit(*arguments)
        if does == "status":
            raise Refusal(status, "", "the answer was lost")
        return oid

    monkeypatch.setattr(hub.store, "commit", lost)
    hub.faults = [Fault("/commit/", does="cut")] if does == "cut" else []
    done = publish(folder, NAME, tag="v2")
    assert [hub.store.resolve("models", NAME, name) for name in ("main", "v2")] == [done.commit] * 2
    assert done.commit != old and len(hub.store.read("models", NAME)["commits"]) == 3


def test_a_hub_that_is_gone_after_the_commit_is_not_said_to_have_nothing(hub: Hub, folder: Path) -> None:
    hub.faults = [Fault("/commit/", does="cut"), Fault("^GET .*/revision/", times=100)]
    assert "may have a new commit on main, which could not be checked: repeat the command: " in refusal(folder)
    hub.faults = []
    assert len({publish(folder, NAME).commit, publish(folder, NAME).commit}) == 1


def test_the_server_says_when_to_ask_again(hub: Hub, folder: Path, waits: list[float]) -> None:
    hub.faults = [Fault("objects/batch", status=429, headers={"Retry-After": "7"})]
    publish(folder, NAME)
    assert waits == [8]


def test_weights_are_not_sent_twice(hub: Hub, folder: Path) -> None:
    hub.faults = [Fault("/commit/")]
    refusal(folder)
    sent = len(hub.asked("^PUT /lfs/"))
    publish(folder, NAME)
    assert len(hub.asked("^PUT /lfs/")) == sent == 2


def test_of_two_publishers_at_once_one_is_told(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(folder, NAME)
    rewrite(folder, discount=0.9)
    put = hub.store.commit
    others: list[str] = []

    def somebody_was_faster(*arguments: Any) -> str:
        monkeypatch.setattr(hub.store, "commit", put)
        others.append(hub.store.plant(NAME, {"README.md": b"theirs"}))
        return put(*arguments)

    monkeypatch.setattr(hub.store, "commit", somebody_was_faster)
    assert "somebody else published there in the meantime" in refusal(folder)
    assert [hub.store.resolve("models", NAME, "main")] == others


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("hf_wrong", "the token was not accepted"),
        ("hf_reader", "does not have the right to do that"),
        ("", "log in with `hf auth login`, or set HF_TOKEN"),
        ("hf_br\u00f6ken", "was not published as"),
    ],
)
def test_a_token_that_does_not_do(
    hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch, token: str, message: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    found = refusal(folder)
    assert message in found and not (token and token in found)
    assert hub.store.repositories("models") == []


def test_a_hub_that_holds_other_bytes_is_noticed(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put = hub.store.put
    monkeypatch.setattr(hub.store, "put", lambda content, *, lfs: put(content if lfs else content + b" ", lfs=lfs))
    message = refusal(folder)
    assert re.search(r"has a new commit \w{40}, but \S+ has other bytes than the folder's", message)


def test_without_a_network(folder: Path, hub: Hub) -> None:
    hub.server.socket.close()
    hub.faults = [Fault(".", does="hang up", times=1000)]
    assert "was not published as" in refusal(folder)
