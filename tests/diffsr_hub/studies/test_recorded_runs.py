import json
from dataclasses import replace
from pathlib import Path

import pytest

from diffsr_hub.errors import UserError
from diffsr_hub.files.json_lines import write_json_lines
from diffsr_hub.studies.recorded_runs import read_runs
from tests.diffsr_hub.studies.runs import record_run


def test_a_run_reads_back(tmp_path: Path) -> None:
    folder = record_run(tmp_path / "run", [1.0, 2.0], arm="frozen", seed=3, success_rate=[0.0, 0.5])
    (run,) = read_runs([folder])
    assert (run.origin, run.env, run.arm, run.seed) == (str(folder.resolve()), "Hopper-v5", "frozen", 3)
    assert (run.steps, run.seconds) == ((0, 10), (0.0, 5.0))
    assert run.measures == {"mean_return": (1.0, 2.0), "success_rate": (0.0, 0.5)}


def test_runs_of_one_task_belong_together_however_its_id_was_written(tmp_path: Path) -> None:
    for seed, env in enumerate(["diffsr/Hopper-jump-v0", "finetune.tasks:diffsr/Hopper-jump-v0"]):
        record_run(tmp_path / str(seed), [1.0], env=env, seed=seed)
    assert {run.env for run in read_runs([tmp_path])} == {"diffsr/Hopper-jump-v0"}


def test_runs_are_found_at_any_depth_and_once(tmp_path: Path) -> None:
    folders = [record_run(tmp_path / "a" / "b" / str(seed), [1.0], seed=seed) for seed in (1, 0)]
    (tmp_path / "a" / "empty").mkdir()
    assert [run.seed for run in read_runs([tmp_path, folders[0], tmp_path / "a"])] == [0, 1]


def test_the_copy_in_a_runs_agent_is_not_another_run(tmp_path: Path) -> None:
    folder = record_run(tmp_path / "sweep" / "run", [1.0])
    record_run(folder / "agent", [1.0])
    assert [run.origin for run in read_runs([tmp_path])] == [str(folder.resolve())]


def test_the_same_seed_twice_is_an_error_that_names_both(tmp_path: Path) -> None:
    record_run(tmp_path / "a", [1.0])
    record_run(tmp_path / "b", [2.0])
    with pytest.raises(UserError, match=r"/a and .*/b are both seed 0 of scratch in Hopper-v5: give one of them"):
        read_runs([tmp_path])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no record of a run: Expecting"),
        ("[]", "is no record of a run"),
        (json.dumps({"env": "x"}), "is no record of a run: it has no 'evaluations'"),
        (json.dumps({"env": "x", "arm": "y", "seed": 0, "evaluations": []}), "has no evaluation yet"),
        (json.dumps({"env": "x", "arm": "y", "seed": 0, "evaluations": [{"step": 0}]}), "it has no 'seconds'"),
        (json.dumps({"env": "x", "arm": "y", "seed": None, "evaluations": [{}]}), "is no record of a run"),
    ],
)
def test_what_is_no_record_is_one_line(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "evaluation.json").write_text(content)
    with pytest.raises(UserError, match=message) as error:
        read_runs([tmp_path])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_return_that_is_no_number_is_named(tmp_path: Path, value: float) -> None:
    folder = record_run(tmp_path / "run", [1.0, value, 2.0], every=10)
    with pytest.raises(UserError, match=rf"mean_return of {folder} is {value} at step 10: leave the run out"):
        read_runs([folder])


def test_the_encoder_is_the_one_that_was_noted_when_the_run_began(tmp_path: Path) -> None:
    for seed, encoder in enumerate([{"source": "org/name", "revision": "1", "sha256": "2"}, None]):
        folder = record_run(tmp_path / str(seed), [1.0], seed=seed)
        (folder / "sources.json").write_text(json.dumps({"encoder": encoder, "datasets": []}))
    record_run(tmp_path / "kept", [1.0], seed=2)
    assert [run.encoder for run in read_runs([tmp_path])] == ["org/name", None, None]


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"encoder": {}}', '{"encoder": "x"}'])
def test_sources_that_are_none_are_one_line(tmp_path: Path, content: str) -> None:
    (record_run(tmp_path / "run", [1.0]) / "sources.json").write_text(content)
    with pytest.raises(UserError, match=r"sources\.json does not say what the run was made of: .+"):
        read_runs([tmp_path])


@pytest.mark.parametrize("name", ["empty", "nowhere"])
def test_a_folder_without_runs_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=f"{name} is no run folder and holds none"):
        read_runs([tmp_path / name])


def test_a_file_of_results_has_the_runs_of_its_folders(tmp_path: Path) -> None:
    folders = [record_run(tmp_path / "runs" / str(seed), [1.0, 2.5], seed=seed) for seed in (1, 0)]
    records = [json.loads((folder / "evaluation.json").read_text()) for folder in folders]
    file = tmp_path / "results.jsonl"
    write_json_lines(file, [record | {"official": {}} for record in records])
    found, expected = read_runs([file]), read_runs([tmp_path / "runs"])
    assert [replace(run, origin="") for run in found] == [replace(run, origin="") for run in expected]
    assert [run.origin for run in found] == [f"line 2 of {file}", f"line 1 of {file}"]
    with pytest.raises(UserError, match=r"line 2 of .*results\.jsonl and .*/runs/0 are both seed 0 of scratch"):
        read_runs([file, tmp_path / "runs"])


def test_what_is_wrong_in_a_file_of_results_is_named_by_its_line(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    file.write_text('{"env": "x"}\n')
    with pytest.raises(UserError, match=r"^line 1 of .*results\.jsonl is no record of a run: it has no 'evaluations'$"):
        read_runs([file])
    (tmp_path / "results.json").write_text("{}")
    with pytest.raises(UserError, match=r"results\.json is neither a run folder nor a file of results, .* \.jsonl$"):
        read_runs([tmp_path / "results.json"])
