import json
import re
from copy import deepcopy
from pathlib import Path

import pytest

from diffsr_hub import UserError
from diffsr_hub.cards.card import write_card
from diffsr_hub.files.atomic import write_json
from tests.hub.cards import HOSTILE, card, metadata, row
from tests.hub.samples import TRANSFER

pytest_plugins = ["tests.hub.fixtures"]

PROBES = ("reward", "next_obs", "change", "return", "return_fourier")
REPORT = {
    "discount": 0.97,
    "transitions": {"train": 12_345, "validation": 6_789},
    "episodes": {"train": 55, "validation": 44},
    "loss": {
        "mean": {
            "encoder": 0.0123,
            "linear_dynamics": 0.0456,
            "without_state_action": 0.3789,
            "constant": 1.0,
            "random_encoder": 2.5,
        }
    },
    "probes": {
        target: {"psi": 0.9 + i / 1000, "random_psi": 0.7 + i / 1000, "raw": -0.3 - i / 1000}
        for i, target in enumerate(PROBES)
    },
    "spectrum": {
        "psi": {"effective_rank": 24.8},
        "random_psi": {"effective_rank": 22.4},
        "raw": {"effective_rank": 11.9},
    },
    "samples": {"rmse": [0.1, 0.31, 9.0], "spread_over_rmse": [0.5, 1.23, 7.0]},
}


def dataset() -> dict:
    entry = {
        "id": "mujoco/hopper/medium-v0",
        "namespace": "mujoco/hopper",
        "source": "remote",
        "hub_revision": "abc123",
        "sha256": "f" * 64,
        "env_spec": {"id": "Hopper-v5"},
        "total_episodes": 1_000,
        "total_steps": 987_654,
        "algorithm_name": "SAC",
        "description": "Runs well.",
    }
    return {
        "datasets": [entry],
        "software": {"torch": "2.13.0", "mujoco": None},
        "training": {
            "command": "python pretrain/fit.py --dataset mujoco/hopper",
            "max_steps": 2_000,
            "batch_size": 256,
            "seconds": 90.0,
            "transitions": 888_888,
            "device": "cpu, 2 cores",
        },
    }


@pytest.fixture
def folder(folder) -> Path:
    """That of every test, without a card and with numbers that differ."""
    write_json(folder / "dataset.json", dataset())
    write_json(folder / "diagnostics.json", REPORT)
    (folder / "README.md").unlink()
    return folder


def test_the_hub_understands_the_metadata(folder):
    found = metadata(card(folder))
    assert found["library_name"] == "diffsr-hub"
    assert found["pipeline_tag"] == "reinforcement-learning"
    assert found["license"] == "mit"
    assert found["datasets"] == ["farama-minari/mujoco"]
    assert "Hopper-v5" in found["tags"]


def test_data_from_this_machine_is_not_called_a_dataset_of_the_hub(folder):
    content = dataset()
    content["datasets"][0] |= {"source": "bundled", "hub_revision": None}
    write_json(folder / "dataset.json", content)
    assert "datasets" not in metadata(card(folder))


def test_its_numbers_are_those_of_the_files(folder):
    text = card(folder)
    labels = (
        "reward",
        "next state",
        "change of state",
        "discounted return",
        "discounted return, random Fourier features",
    )
    for target, label in zip(PROBES, labels, strict=True):
        expected = [REPORT["probes"][target][name] for name in ("psi", "random_psi", "raw")]
        assert [float(cell) for cell in row(text, label)] == pytest.approx(expected, abs=5e-4)
    assert float(row(text, "this encoder")[0]) == REPORT["loss"]["mean"]["encoder"]
    assert float(row(text, "linear-Gaussian dynamics")[0]) == REPORT["loss"]["mean"]["linear_dynamics"]
    for fact in (
        "6,789",
        "12,345",
        "987,654",
        "f" * 64,
        "abc123",
        "2,000",
        "888,888",
        "1.5 minutes",
        "0.31",
        "1.23",
        "0.97",
    ):
        assert fact in text


@pytest.mark.parametrize("control", ["random_psi", "raw"])
def test_it_says_what_a_control_reads_better(folder, control):
    assert "less well" not in card(folder)
    report = deepcopy(REPORT)
    report["probes"]["change"][control] = 0.99
    write_json(folder / "diagnostics.json", report)
    assert "or from raw (s, a): the change of state.**" in card(folder)


def test_it_tells_how_to_load(folder):
    write_card(folder, "org/diffsr-hopper")
    assert 'DiffSR.from_pretrained("org/diffsr-hopper")' in (folder / "README.md").read_text(encoding="utf-8")


def test_many_datasets_are_a_table(folder):
    made_of = dataset()
    (entry,) = made_of["datasets"]
    tasks = [f"metaworld/task{i}-v3" for i in range(45)]
    made_of["datasets"] = [
        entry
        | {"id": f"{task}/bundled-v0", "env_spec": {"id": task}, "algorithm_name": "Script", "total_steps": 25_000}
        for task in tasks
    ]
    write_json(folder / "dataset.json", made_of)
    write_card(folder)
    text = (folder / "README.md").read_text()
    assert "# Diffusion Spectral Representation of 45 environments of metaworld\n" in text
    assert metadata(text)["tags"][-2:] == ["minari", "metaworld"]
    assert "45 datasets; every environment has an equal share of each batch. Behaviour: Script.\n" in text
    assert all(f"| `{task}/bundled-v0` | 25,000 | 1,000 | `ffffffffffffffff` |\n" in text for task in tasks)


def test_few_environments_are_a_tag_each(folder):
    made_of = dataset()
    (entry,) = made_of["datasets"]
    made_of["datasets"] = [entry | {"env_spec": {"id": name}} for name in ("Hopper-v5", "Hopper-v4", "Hopper-v5")]
    write_json(folder / "dataset.json", made_of)
    assert metadata(card(folder))["tags"][-2:] == ["Hopper-v4", "Hopper-v5"]


def test_software_that_is_not_there_has_no_row_and_nothing_is_none(folder):
    text = card(folder)
    assert row(text, "torch") == ["`2.13.0`"]
    assert "mujoco |" not in text
    assert not re.search(r"\bNone\b|\{\{|\{%|\| *\|$(?!\n\|---)", text)


def test_an_environment_without_a_name_goes_by_the_namespace(folder):
    content = dataset()
    content["datasets"][0] |= {"env_spec": None, "algorithm_name": None, "description": None}
    write_json(folder / "dataset.json", content)
    text = card(folder)
    assert "# Diffusion Spectral Representation of mujoco/hopper" in text
    assert "behaviour: not recorded" in text


@pytest.mark.parametrize("name", ["config.json", "dataset.json", "diagnostics.json", "diagnostics.png"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(UserError, match=re.escape(name)):
        write_card(folder)
    assert not (folder / "README.md").exists()


@pytest.mark.parametrize(
    ("file", "path"),
    [
        ("dataset.json", ["datasets"]),
        ("dataset.json", ["datasets", 0, "sha256"]),
        ("dataset.json", ["training", "command"]),
        ("dataset.json", ["software"]),
        ("diagnostics.json", ["probes", "change", "psi"]),
        ("diagnostics.json", ["samples", "rmse"]),
    ],
)
@pytest.mark.parametrize("hole", ["absent", None, "", []])
def test_a_missing_or_empty_fact_is_named(folder, file, path, hole):
    content = json.loads((folder / file).read_text())
    *parents, last = path
    holder = content
    for key in parents:
        holder = holder[key]
    if hole == "absent":
        del holder[last]
    else:
        holder[last] = hole
    write_json(folder / file, content)
    with pytest.raises(UserError, match=rf"{file}.* has no {last}"):
        write_card(folder)


@pytest.mark.parametrize(("fact", "wrong"), [("max_steps", "many"), ("seconds", "long"), ("device", {"a": 1})])
def test_a_fact_of_the_wrong_kind_is_an_error(folder, fact, wrong):
    content = dataset()
    content["training"][fact] = wrong
    write_json(folder / "dataset.json", content)
    with pytest.raises(UserError):
        write_card(folder)


@pytest.mark.parametrize(
    "place", ["description", "algorithm_name", "id", "env_spec", "hub_revision", "command", "device"]
)
def test_text_from_strangers_stays_one_plain_line(folder, place):
    expected = card(folder)
    content = dataset()
    if place in content["training"]:
        content["training"][place] = HOSTILE
    else:
        content["datasets"][0][place] = {"id": HOSTILE} if place == "env_spec" else HOSTILE
    write_json(folder / "dataset.json", content)
    text = card(folder)
    assert metadata(text) | {"tags": None} == metadata(expected) | {"tags": None}
    assert text.count("\n```") == expected.count("\n```")
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert len(headings) == len([line for line in expected.splitlines() if line.startswith("#")])
    body = text.split("\n---\n", 1)[1]
    assert not re.search(r"^---$", body, re.MULTILINE)
    assert "\x1b" not in text
    assert "\u202e" not in text
    if place in ("description", "algorithm_name", "device"):
        assert "<script>" not in text.replace(r"\<script\>", "")


def test_a_json_file_that_is_no_object_is_an_error(folder):
    (folder / "diagnostics.json").write_text("[]")
    with pytest.raises(UserError, match="not an object"):
        write_card(folder)
    (folder / "diagnostics.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        write_card(folder)


# --- what an encoder saves -------------------------------------------------------------------------------------------


def test_without_a_study_there_is_no_word_of_it(folder):
    assert "What it saves" not in card(folder)


def test_what_it_saves_is_that_of_the_study(folder):
    write_json(folder / "transfer.json", TRANSFER)
    text = card(folder)
    assert row(text, "`Hopper-v5`") == ["`frozen`", "3 of 3", "9,000 [8,000, 12,345]", "2,900 [2,700, 3,100]"]
    assert row(text, "`diffsr/Hopper-backward-v0`") == ["`random`", "1 of 4", "> 22,000", "–"]
    assert "- `frozen`: ψ as it was pretrained" in text
    for fact in ("30,000 environment steps", "`python benchmarks/studies/transfer.py`", f"<{TRANSFER['source']}>"):
        assert fact in text


def test_what_it_saves_can_be_told_in_success_rates(folder):
    steps = {"centre": 0, "low": 0, "high": 0, "reached": 3, "seeds": 3}
    final = {"centre": 0.4333, "low": 0.0667, "high": 1}
    rows = [{"task": "metaworld/door-open-v3", "arm": "frozen", "steps": steps, "final": final}]
    write_json(folder / "transfer.json", TRANSFER | {"measure": "success rate", "threshold": 0.5, "rows": rows})
    text = card(folder)
    assert row(text, "`metaworld/door-open-v3`") == ["`frozen`", "3 of 3", "0 [0, 0]", "0.43 [0.067, 1]"]
    assert "until\nthe success rate is 0.5. " in text and "| final success rate |" in text
    write_json(folder / "transfer.json", TRANSFER)
    assert "until\nthe return is that with which runs from scratch end. " in card(folder)


@pytest.mark.parametrize("address", ["javascript:alert(1)", "https://a.b/) [x](y", "https://a.b/><script>"])
def test_a_source_that_is_no_address_is_no_link(folder, address):
    write_json(folder / "transfer.json", TRANSFER | {"source": address})
    assert f"the whole study: `{address}`" in card(folder)


def hostile_study(place):
    """A study in which a stranger wrote into one place."""
    row = TRANSFER["rows"][0]
    if place in row:
        return TRANSFER | {"rows": [row | {place: HOSTILE}]}
    return TRANSFER | {place: {"arms": {HOSTILE: HOSTILE, "frozen": HOSTILE}}.get(place, HOSTILE)}


@pytest.mark.parametrize("place", ["arms", "task", "arm", "command", "source", "measure", "threshold"])
def test_a_study_by_strangers_stays_plain_text(folder, place):
    write_json(folder / "transfer.json", TRANSFER)
    expected = card(folder)
    write_json(folder / "transfer.json", hostile_study(place))
    text = card(folder)
    assert text.count("\n```") == expected.count("\n```")
    assert not {"\x1b", "\u202e"} & set(text)
    shown = re.sub("`[^`]*`", "", text.replace("\\`", ""))
    assert not re.search(r"(?<!\\)<script|(?<!\\)!\[i|^---$|^# Big", shown.split("\n---\n", 1)[1], re.MULTILINE)


@pytest.mark.parametrize("hole", ["source", "command", "total_steps", "rows"])
def test_a_study_with_a_hole_is_an_error(folder, hole):
    write_json(folder / "transfer.json", TRANSFER | {hole: None})
    with pytest.raises(UserError, match=f"transfer.json has no {hole}"):
        write_card(folder)
