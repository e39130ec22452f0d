"""The runs of a sweep: tasks × arms × seeds, each with its settings and its place."""

import itertools
import re
import shutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from diffsr_hub.errors import UserError, unknown
from diffsr_hub.files.atomic import write_text
from diffsr_hub.files.yaml_text import read_texts, to_yaml
from diffsr_hub.runs.command import flags, parse, settings
from diffsr_hub.runs.lock import InUse, locked
from diffsr_hub.saved.file_names import CONFIG
from diffsr_hub.suites.env_ids import registered
from finetune.config import SCRATCH, FinetuneConfig
from finetune.running.run_folder import RunFolder
from finetune.sweep.launchers import Program

Settings = Mapping[str, Any]
OWN = ("env", "arm", "seed", "run_dir", "resume", "progress")
"""settings that the sweep gives to each run"""
_SETTINGS = {field.name for field in fields(FinetuneConfig)}
_PLACEHOLDER = re.compile(r"\{(\w*)\}")
_NOT_IN_NAMES = re.compile(r"[^\w.+-]+")


@dataclass(frozen=True)
class PlannedRun:
    """One training, which may be complete, started or still to come."""

    env: str
    arm: str
    seed: int
    folder: Path
    """its run folder; its settings and its log are beside it"""
    settings: dict[str, Any]
    """of FinetuneConfig, as they were given: a text may stand for a number"""

    @property
    def name(self) -> str:
        """For people."""
        return f"{slug(registered(self.env))} {self.arm} seed {self.seed}"

    @property
    def config(self) -> Path:
        """Its settings as YAML."""
        return self.folder.with_name(f"{self.folder.name}.yaml")

    @property
    def log(self) -> Path:
        """What it printed, over all its attempts."""
        return self.folder.with_name(f"{self.folder.name}.log")

    @property
    def started(self) -> bool:
        """Whether it has a checkpoint."""
        return RunFolder(self.folder).checkpoint.is_file()

    @property
    def complete(self) -> bool:
        """Whether it has left its agent, whose folder is written all or nothing."""
        return (RunFolder(self.folder).agent / CONFIG).is_file()

    def typed(self) -> dict[str, Any]:
        """Its settings as a training reads them, in values that YAML knows.

        Raises:
            UserError: No training can have them.
        """
        try:
            for name in self.settings:
                if name not in _SETTINGS:
                    raise unknown("setting", name, _SETTINGS)
            config = parse(FinetuneConfig, flags(self.settings), prog="diffsr finetune", description="")
        except UserError as error:
            raise UserError(f"{self.name}: {error}") from error
        return {name: value for name, value in settings(config).items() if name in self.settings}

    def program(self, stop: Path) -> Program:
        """What to run next: its start, or its resumption."""
        training = (sys.executable, "-m", "finetune.train", "--progress", "false")
        return Program(
            start=(*training, "--config", str(self.config)),
            folder=Path.cwd(),
            log=self.log,
            stop=stop,
            resume=(*training, "--resume", str(self.folder)),
            started=RunFolder(self.folder).config,
        )


def arms_of_encoders(encoders: Sequence[str]) -> dict[str, Settings]:
    """An arm for each encoder, named after it; `none` is called scratch."""
    arms: dict[str, Settings] = {
        "scratch" if source == SCRATCH else slug(source): {"encoder": source} for source in encoders
    }
    if len(arms) < len(encoders):
        raise UserError(f"two of the encoders {', '.join(encoders)} have the same name; name them in an --arms file")
    return arms


def read_arms(file: Path) -> dict[str, Settings]:
    """The arms in a YAML file: a mapping from name to settings, which are texts until `PlannedRun.typed` reads them.

    Raises:
        UserError: It cannot be read, or is something else.
    """
    try:
        arms = read_texts(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"cannot read the arms in {file}: {' '.join(str(error).split())}") from error
    if not isinstance(arms, dict) or not arms or not all(isinstance(own, dict) for own in arms.values()):
        raise UserError(f"{file} must map names to settings, such as frozen: {{encoder: org/name, mode: frozen}}")
    wrong = [name for name in arms if slug(name) != name]
    if wrong:
        raise UserError(f"{file}: {wrong[0]!r} cannot name a folder; use letters, digits, dots, + and -")
    return arms


def plan(
    tasks: Sequence[str], arms: Mapping[str, Settings], seeds: Sequence[int], folder: Path, shared: Settings
) -> list[PlannedRun]:
    """Every task with every arm and every seed, the seeds in the outermost loop so that comparisons come early.

    Args:
        tasks: Gymnasium ids.
        arms: Settings by name; in their text `{seed}`, `{env}`, `{name}`, `{task}` and `{robot}` are replaced.
        seeds: Of the runs.
        folder: Above all run folders, `<folder>/<task>/<arm>/seed-<n>`.
        shared: Settings of all runs; those of an arm override them.

    Raises:
        UserError: An arm sets what the sweep sets, or has an unknown placeholder, or two runs would share a folder.
    """
    runs = []
    for seed, env, (arm, own) in itertools.product(seeds, tasks, arms.items()):
        given = {**shared, **own}
        if refused := sorted(given.keys() & set(OWN)):
            raise UserError(f"the sweep itself sets {refused[0]} of each run; take it out of the settings")
        task = registered(env)
        run_folder = folder.resolve() / slug(task) / arm / f"seed-{seed}"
        words = {
            "seed": str(seed),
            "env": task,
            "name": task.rpartition("/")[2],
            "task": slug(task),
            "robot": robot(task),
        }
        runs.append(
            PlannedRun(
                env=env,
                arm=arm,
                seed=seed,
                folder=run_folder,
                settings={
                    **{name: _fill(value, words) for name, value in given.items()},
                    **{"env": env, "arm": arm, "seed": seed, "run_dir": str(run_folder)},
                },
            )
        )
    repeated = [folder for folder, count in Counter(run.folder for run in runs).items() if count > 1]
    if repeated:
        raise UserError(f"two of the runs would go to {repeated[0]}; take one out, or give it a sweep of its own")
    return runs


def write_down(runs: Sequence[PlannedRun]) -> None:
    """Write the settings of each run beside its folder, and check that a training would take them.

    What is left of runs that ended before their first checkpoint is removed: they start anew.

    Raises:
        UserError: Settings that no run can have, or not those with which a run was started.
    """
    typed = [run.typed() for run in runs]
    for run, now in zip(runs, typed, strict=True):
        _check_unchanged(run, now)
    for run, now in zip(runs, typed, strict=True):
        if run.folder.is_dir() and not (run.started or run.complete):
            _remove_unless_in_use(run.folder)
        run.folder.parent.mkdir(parents=True, exist_ok=True)
        write_text(run.config, to_yaml(now))


def robot(env: str) -> str:
    """`hopper` of `Hopper-v5` and of `diffsr/Hopper-backward-v0`: what their encoders and datasets are named after."""
    return env.rpartition("/")[2].partition("-")[0].lower()


def slug(name: str) -> str:
    """A name that can be a folder: `org/name` becomes `org-name`."""
    return _NOT_IN_NAMES.sub("-", name).strip("-.")


def _fill(value: Any, words: Mapping[str, str]) -> Any:
    if not isinstance(value, str):
        return value
    for name in _PLACEHOLDER.findall(value):
        if name not in words:
            raise unknown("placeholder", name, words)
    return _PLACEHOLDER.sub(lambda found: words[found[1]], value)


def _check_unchanged(run: PlannedRun, typed: Settings) -> None:
    if not (run.started or run.complete) or not run.config.is_file():
        return
    before: dict[str, Any] = yaml.safe_load(run.config.read_text(encoding="utf-8"))
    for name in sorted({*before, *typed} - {"run_dir"}):
        old, new = before.get(name, "its default"), typed.get(name, "its default")
        if old != new:
            raise UserError(f"{run.folder} was started with {name}={old}, not {new}: choose another --folder for that")


def _remove_unless_in_use(folder: Path) -> None:
    with suppress(InUse), locked(folder):  # what is started here waits for the other process, or says that it is there
        shutil.rmtree(folder)
