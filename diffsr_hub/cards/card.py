"""The model card of an exported folder: every number and name on it is read from the JSON files beside it."""

from importlib.resources import files
from pathlib import Path

import jinja2
from markupsafe import Markup

from diffsr_hub.cards.facts import MISSING, agent_facts, encoder_facts
from diffsr_hub.cards.plain_text import jinja
from diffsr_hub.errors import UserError
from diffsr_hub.saved import model_folder as pretrained
from diffsr_hub.saved.exported_folder import CARD
from diffsr_hub.saved.kinds import model_type

PLACEHOLDER = "path/to/this/folder"
_KINDS = {"DiffSR": ("encoder.md", encoder_facts), "Agent": ("agent.md", agent_facts)}
"""model type → the template of its card, and what that needs"""


def write_card(folder: Path, source: str = PLACEHOLDER) -> None:
    """Write `README.md` into the folder of an encoder or an agent.

    Args:
        folder: The exported folder.
        source: What the card tells `from_pretrained` to load: a repository such as `org/diffsr-hopper`.

    Raises:
        UserError: A file or a fact is missing.
    """
    pretrained.write_text(folder / CARD, render(folder, source))


def render(folder: Path, source: str = PLACEHOLDER) -> str:
    """The text of the card of a folder, which is only read.

    Raises:
        UserError: A file or a fact is missing.
    """
    if not (folder / pretrained.CONFIG).is_file():
        raise UserError(MISSING.format(folder, pretrained.CONFIG))
    template, read_facts = _KINDS[model_type(folder / pretrained.CONFIG)]
    text = files("model_cards").joinpath(template).read_text(encoding="utf-8")
    try:
        facts = read_facts(folder, source)
        metadata = Markup(facts.pop("metadata").to_yaml(line_break="\n"))
        return jinja().from_string(text).render(metadata=metadata, **facts)
    except UserError:
        raise
    except (jinja2.UndefinedError, ArithmeticError, AttributeError, TypeError, ValueError, RecursionError) as error:
        raise UserError(f"{folder}: a fact of the card is missing or of the wrong kind ({error})") from error
