"""Laws of a plan: every combination once, each with its own folder, and no run goes on with other settings."""

import sys
from pathlib import Path

import pytest
import yaml

from diffsr_hub.errors import UserError
from diffsr_hub.runs.command import parse
from diffsr_hub.runs.lock import locked
from finetune.config import FinetuneConfig
from finetune.sweep.plan import PlannedRun, arms_of_encoders, plan, read_arms, robot, slug, write_down

ARMS = {"scratch": {"encoder": "none"}, "frozen": {"encoder": "runs/{robot}-{seed}/encoder", "mode": "frozen"}}


def one(folder: Path, **settings: object) -> PlannedRun:
    (run,) = plan(["Hopper-v5"], {"scratch": settings}, [0], folder, {})
    return run


def begin(run: PlannedRun) -> None:
    (run.folder / "checkpoint").mkdir(parents=True)
    (run.folder / "checkpoint" / "state.safetensors").touch()
    (run.folder / "config.yaml").touch()


def test_every_combination_is_planned_once_and_the_first_seed_comes_first(tmp_path: Path) -> None:
    runs = plan(["Hopper-v5", "diffsr/Walker2d-ice-v0"], ARMS, [3, 5], tmp_path, {})
    assert len({(run.env, run.arm, run.seed) for run in runs}) == len({run.folder for run in runs}) == 8
    assert [run.seed for run in runs] == [3] * 4 + [5] * 4


@pytest.mark.parametrize(("tasks", "seeds"), [(["Hopper-v5"], [0, 0]), (["my/Hop-v0", "my-Hop-v0"], [0])])
def test_two_runs_of_one_folder_are_refused(tasks: list[str], seeds: list[int], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"two of the runs would go to .*-v\d/scratch/seed-0; take one out"):
        plan(tasks, {"scratch": {}}, seeds, tmp_path, {})


def test_a_run_knows_its_place_and_its_settings(tmp_path: Path) -> None:
    run = plan(["diffsr/HalfCheetah-ice-v0"], ARMS, [5], tmp_path, {"total_steps": 9, "mode": "random"})[1]
    assert run.name == "diffsr-HalfCheetah-ice-v0 frozen seed 5"
    assert run.folder == tmp_path / "diffsr-HalfCheetah-ice-v0" / "frozen" / "seed-5"
    assert (run.config, run.log) == (run.folder.parent / "seed-5.yaml", run.folder.parent / "seed-5.log")
    assert run.settings == {
        "total_steps": 9,
        "mode": "frozen",  # the arm's, not the shared one
        "encoder": "runs/halfcheetah-5/encoder",
        "env": "diffsr/HalfCheetah-ice-v0",
        "arm": "frozen",
        "seed": 5,
        "run_dir": str(run.folder),
    }


def test_what_is_written_down_is_what_a_training_reads(tmp_path: Path) -> None:
    run = one(tmp_path, batch_size=7, actor_hidden=[4, 5])
    write_down([run])
    config = parse(FinetuneConfig, ["--config", str(run.config)], prog="", description="")
    assert (config.batch_size, config.actor_hidden, config.seed, config.label) == (7, (4, 5), 0, "scratch")
    assert config.run_dir == run.folder


def test_a_run_is_started_and_then_resumed(tmp_path: Path) -> None:
    run = one(tmp_path)
    program, training = run.program(tmp_path / "stop"), (sys.executable, "-m", "finetune.train", "--progress", "false")
    assert program.command == (*training, "--config", str(run.config))
    begin(run)
    assert program.command == run.program(tmp_path / "stop").command == (*training, "--resume", str(run.folder))


def test_a_run_that_was_begun_keeps_its_settings(tmp_path: Path) -> None:
    run = one(tmp_path, batch_size=7)
    write_down([run])
    begin(run)
    write_down([run])
    with pytest.raises(UserError, match="was started with batch_size=7, not 8: choose another --folder"):
        write_down([one(tmp_path, batch_size=8)])
    with pytest.raises(UserError, match="was started with batch_size=7, not its default"):
        write_down([one(tmp_path)])
    assert yaml.safe_load(run.config.read_text())["batch_size"] == 7


def test_a_run_without_a_checkpoint_starts_anew_with_new_settings(tmp_path: Path) -> None:
    run = one(tmp_path, batch_size=7)
    write_down([run])
    run.folder.mkdir()
    (run.folder / "config.yaml").touch()
    write_down([one(tmp_path, batch_size=8)])
    assert not run.folder.exists()
    assert yaml.safe_load(run.config.read_text())["batch_size"] == 8


def test_a_run_in_use_is_left_alone(tmp_path: Path) -> None:
    run = one(tmp_path)
    run.folder.mkdir(parents=True)
    with locked(run.folder):
        write_down([run])
        assert run.folder.is_dir()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batchsize": 3}, "Hopper-v5 scratch seed 0: unknown setting 'batchsize', valid: .*; did you mean batch_size"),
        ({"total_steps": 0}, "Hopper-v5 scratch seed 0: total_steps must be at least 1"),
        ({"config": "x.yaml"}, "Hopper-v5 scratch seed 0: unknown setting 'config'"),
        ({"total_steps": "many"}, "Hopper-v5 scratch seed 0: .*many"),
        ({"seed": 3}, "the sweep itself sets seed of each run"),
        ({"encoder": "x/{robo}"}, r"unknown placeholder 'robo', valid: .*did you mean robot\?"),
    ],
)
def test_settings_that_no_run_can_have_are_refused_before_anything_runs(
    settings: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        write_down([one(tmp_path, **settings)])


def test_encoders_become_arms() -> None:
    assert arms_of_encoders(["none", "org/x", "runs/{robot}/encoder"]) == {
        "scratch": {"encoder": "none"},
        "org-x": {"encoder": "org/x"},
        "runs-robot-encoder": {"encoder": "runs/{robot}/encoder"},
    }
    with pytest.raises(UserError, match="have the same name; name them in an --arms file"):
        arms_of_encoders(["org/x", "org-x"])


def test_arms_are_read_from_yaml(tmp_path: Path) -> None:
    file = tmp_path / "arms.yaml"
    file.write_text('scratch: {encoder: none}\nfrozen: {encoder: "runs/{robot}-{seed}/encoder", mode: frozen}\n')
    assert read_arms(file) == ARMS


TEXTS = ("1e-3", "12e4567", "1e3", "on", "1:30", "null", "~", "0x10", "010", "yes", "1", "true", "1.5", "2001-01-01")


def test_a_text_in_an_arms_file_stays_the_text_that_it_is(tmp_path: Path) -> None:
    file = tmp_path / "arms.yaml"
    file.write_text("".join(f"x{i}: {{encoder: {text}}}\n" for i, text in enumerate(TEXTS)))
    arms = read_arms(file)
    assert [arm["encoder"] for arm in arms.values()] == list(TEXTS)
    for run in plan(["Hopper-v5"], arms, [0], tmp_path, {}):
        write_down([run])
        config = parse(FinetuneConfig, ["--config", str(run.config)], prog="", description="")
        assert (config.encoder, config.arm, config.run_dir) == (run.settings["encoder"], run.arm, run.folder)


def test_settings_are_read_by_their_type_however_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "arms.yaml").write_text(
        "1e-3: &fast {encoder: none, learning_rate: 1e-3, actor_hidden: [4, 5], download: no}\n"
        "on: {<<: *fast, learning_rate: '1e-3'}\n1e3: {<<: *fast, learning_rate: 0.001}\n"
    )
    runs = plan(["Hopper-v5"], read_arms(tmp_path / "arms.yaml"), [2**32 - 1], tmp_path, {"total_steps": "1000"})
    write_down(runs)
    for run, arm in zip(runs, ("1e-3", "on", "1e3"), strict=True):
        config = parse(FinetuneConfig, ["--config", str(run.config)], prog="", description="")
        assert (config.arm, config.learning_rate, config.actor_hidden, config.download) == (arm, 1e-3, (4, 5), False)
        assert (config.total_steps, config.seed) == (1000, 2**32 - 1)


def test_an_equal_setting_in_other_words_is_no_change(tmp_path: Path) -> None:
    run = one(tmp_path, learning_rate=0.001)
    write_down([run])
    begin(run)
    write_down([one(tmp_path, learning_rate="1e-3")])
    with pytest.raises(UserError, match=r"was started with learning_rate=0.001, not 0.002"):
        write_down([one(tmp_path, learning_rate="2e-3")])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1, 2]", "must map names to settings"),
        ("", "must map names to settings"),
        ("frozen: org/x", "must map names to settings"),
        ("frozen: {", "cannot read the arms"),
        ("../x: {encoder: none}", r"'\.\./x' cannot name a folder"),
        ("a b: {encoder: none}", "'a b' cannot name a folder"),
    ],
)
def test_a_file_that_holds_no_arms_is_one_line(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "arms.yaml").write_text(content)
    with pytest.raises(UserError, match=message) as error:
        read_arms(tmp_path / "arms.yaml")
    assert "\n" not in str(error.value)


def test_no_file_of_arms_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read the arms in .*No such file"):
        read_arms(tmp_path / "arms.yaml")


def test_data_of_the_task_goes_by_the_name_of_its_environment(tmp_path: Path) -> None:
    arms = {"demonstrations": {"offline_dataset": "{env}/bundled-v0", "encoder": "runs/without-{name}-{seed}/encoder"}}
    (run,) = plan(["metaworld/reach-v3"], arms, [0], tmp_path, {})
    assert run.settings["offline_dataset"] == "metaworld/reach-v3/bundled-v0"
    assert run.settings["encoder"] == "runs/without-reach-v3-0/encoder"
    assert run.folder == tmp_path / "metaworld-reach-v3/demonstrations/seed-0"


def test_a_module_in_front_of_an_id_is_no_part_of_any_name(tmp_path: Path) -> None:
    arms = {"own": {"offline_dataset": "mujoco/{robot}/bundled", "encoder": "runs/{task}-{name}/encoder"}}
    written = "finetune.tasks:diffsr/Hopper-jump-v0"
    (run,), (plain,) = (plan([task], arms, [0], tmp_path, {}) for task in (written, "diffsr/Hopper-jump-v0"))
    assert (run.folder, run.name) == (plain.folder, plain.name)
    assert run.settings == plain.settings | {"env": written}  # the module must be imported where it is made
    with pytest.raises(UserError, match="two of the runs would go to"):
        plan([written, "diffsr/Hopper-jump-v0"], arms, [0], tmp_path, {})


def test_robots_and_slugs() -> None:
    assert [robot(env) for env in ("Hopper-v5", "diffsr/HalfCheetah-backward-v0", "Walker2d-v5")] == [
        "hopper",
        "halfcheetah",
        "walker2d",
    ]
    assert slug("../diffsr/Hopper v0") == "diffsr-Hopper-v0"
