from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diffsr_hub.errors import UserError
from diffsr_hub.runs.command import dump, parse, verb_parser
from tests.homeless import without_home


@dataclass(frozen=True)
class Setting:
    words: str = "a"
    """Free text."""
    steps: int = 5
    """How many steps."""
    rate: float = 0.5
    """How fast."""
    widths: tuple[int, ...] = (1, 2)
    """How wide."""
    place: Path | None = None
    """Where to."""
    kind: Literal["one", "two"] = "one"
    """Which."""
    loud: bool = True
    """Whether to shout."""

    def __post_init__(self) -> None:
        if self.steps == 13:
            raise UserError("steps must not be 13")


NAMES = "words, steps, rate, widths, place, kind, loud"


def read(*flags: str) -> Setting:
    return parse(Setting, flags, prog="prog", description="What it does.")


def refusal(*flags: str) -> str:
    with pytest.raises(UserError) as error:
        read(*flags)
    assert "\n" not in str(error.value)
    return str(error.value)


@given(
    words=st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"))),
    steps=st.integers(14, 2**40),
    rate=st.floats(allow_nan=False, allow_infinity=False),
    widths=st.lists(st.integers(-5, 999)).map(tuple),
    place=st.none() | st.sampled_from(["a", "a b/ü", "/x", "1", "true"]).map(Path),
    kind=st.sampled_from(["one", "two"]),
    loud=st.booleans(),
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_written_config_reads_back_equal(tmp_path, words, steps, rate, widths, place, kind, loud):
    config = Setting(words, steps, rate, widths, place, kind, loud)
    dump(config, tmp_path / "c.yaml")
    assert read("--config", str(tmp_path / "c.yaml")) == config


def test_the_file_comes_first_and_flags_override_it(tmp_path):
    dump(replace(Setting(), steps=7, kind="two"), tmp_path / "c.yaml")
    for flags in (["--config", str(tmp_path / "c.yaml"), "--steps", "9"], ["--config", str(tmp_path / "c.yaml")]):
        assert read(*flags) == replace(Setting(), steps=9 if "--steps" in flags else 7, kind="two")


@pytest.mark.parametrize("flag", ["--stepz", "--step", "--stepz=3"])
def test_an_unknown_flag_lists_the_valid_ones_and_guesses(flag):
    said = refusal(flag, "3")
    assert "did you mean steps?" in said and said.endswith(f"valid are {NAMES}")


def test_an_unknown_key_lists_the_valid_ones_and_guesses(tmp_path):
    (tmp_path / "c.yaml").write_text("stepz: 3\n")
    said = refusal("--config", str(tmp_path / "c.yaml"))
    assert "stepz" in said and "did you mean steps?" in said and NAMES in said


def test_without_a_guess_the_valid_ones_are_listed():
    said = refusal("--qqqqqq", "1")
    assert "did you mean" not in said and NAMES in said


@pytest.mark.parametrize(
    ("name", "value"), [("steps", "x"), ("steps", "1.5"), ("rate", "fast"), ("widths", "[a]"), ("kind", "three")]
)
def test_a_value_of_the_wrong_type_names_the_setting(name, value):
    said = refusal(f"--{name}", value)
    assert name in said and value.strip("[]") in said


@pytest.mark.parametrize("text", ["a: [", "- 1", "", "steps: {a: 1}"])
def test_a_file_that_holds_no_settings_is_refused(tmp_path, text):
    (tmp_path / "c.yaml").write_text(text)
    assert "onfig" in refusal("--config", str(tmp_path / "c.yaml")) or "steps" in text


def test_a_missing_file_is_named():
    assert "nowhere.yaml" in refusal("--config", "nowhere.yaml")


def test_words_that_belong_to_no_flag_are_refused():
    assert "extra" in refusal("extra")


def test_what_the_class_refuses_is_said_as_it_says_it():
    assert refusal("--steps", "13") == "steps must not be 13"


def test_the_help_is_made_of_the_docstrings(capsys):
    with pytest.raises(SystemExit) as ended:
        read("--help")
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    for part in ("prog", "What it does.", "Free text.", "How wide.", "--place", "--config", "default: 5"):
        assert part in shown


def test_a_tilde_in_front_of_a_path_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "settings.yaml").write_text("place: ~/from/a/file\nwords: ~/text")
    assert read("--place=~/a").place == tmp_path / "a"
    assert read("--config=~/settings.yaml") == replace(Setting(), place=tmp_path / "from/a/file", words="~/text")
    parser = verb_parser("verb", "What it does.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("out"))
    assert vars(parser.parse_args(["~/a"])) == {"folder": tmp_path / "a", "out": Path("out")}


def test_a_tilde_without_a_home_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    without_home(monkeypatch)
    assert read("--place=a").place == Path("a")
    parser = verb_parser("verb", "What it does.")
    parser.add_argument("folder", type=Path)
    for call in (lambda: read("--place=~/a"), lambda: parser.parse_args(["~/a"])):
        with pytest.raises(UserError, match="this user has no home folder; write the whole path, or set HOME"):
            call()
