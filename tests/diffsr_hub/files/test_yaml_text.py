"""Laws of our YAML: every loader reads back what was written, and a text stays as it stands."""

import jsonargparse
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from diffsr_hub.files.yaml_text import read_texts, to_yaml

AMBIGUOUS = (
    "1e-3",
    "12e4567",
    "1e3",
    "on",
    "1:30",
    "null",
    "~",
    "0x10",
    "yes",
    "y",
    "",
    "1_000",
    ".inf",
    "2001-01-01",
    "<<",
    "=",
)
CONTENT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.sampled_from(AMBIGUOUS),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(AMBIGUOUS), inner),
    max_leaves=8,
)


@given(CONTENT)
@example({text: text for text in AMBIGUOUS})
def test_what_is_written_is_read_back_equal(content):
    text = to_yaml(content)
    assert text.isascii()
    assert yaml.safe_load(text) == content
    assert jsonargparse.get_loader("yaml")(text) == content


@given(st.dictionaries(st.text(), st.text() | st.lists(st.text())))
def test_texts_are_read_back_as_texts(content):
    assert read_texts(to_yaml(content)) == content


@pytest.mark.parametrize("word", AMBIGUOUS[:9])
def test_a_scalar_without_quotes_is_the_text_that_stands_there(word):
    assert read_texts(f"{word}: [{word}, '{word}']") == {word: [word, word]}


def test_names_need_no_quotes():
    assert to_yaml({"mode": "frozen", "steps": 3}) == "mode: frozen\nsteps: 3\n"


def test_mappings_are_merged():
    assert read_texts("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}")["b"] == {"x": "1", "y": "3"}
