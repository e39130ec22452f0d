"""The model card of an exported folder: every number and name on it is read from the JSON files beside it."""

from importlib.resources import files
from pathlib import Path

import jinja2
from markupsafe import Markup

from diffsr_hub.cards.facts import MISSING
from diffsr_hub.cards.plain_text import jinja
from diffsr_hub.errors import UserError
from diffsr_hub.files.atomic import write_text
from diffsr_hub.saved.download import check_not_a_run
from diffsr_hub.saved.file_names import CARD, CONFIG
from diffsr_hub.saved.kinds import kind_of

PLACEHOLDER = "path/to/this/folder"


def write_card(folder: Path, source: str = PLACEHOLDER) -> None:
    """Write `README.md` into the folder of an encoder or an agent.

    Args:
        folder: The exported folder.
        source: What the card tells `from_pretrained` to load: a repository such as `org/diffsr-hopper`.

    Raises:
        UserError: A file or a fact is missing.
    """
    write_text(folder / CARD, render(folder, source))


def render(folder: Path, source: str = PLACEHOLDER) -> str:
    """The text of the card of a folder, which is only read.

    Raises:
        UserError: A file or a fact is missing.
    """
    check_not_a_run(folder)
    if not (folder / CONFIG).is_file():
        raise UserError(MISSING.format(folder, CONFIG))
    kind = kind_of(folder / CONFIG)
    text = files("model_cards").joinpath(kind.template).read_text(encoding="utf-8")
    try:
        facts = kind.read_facts(folder, source)
        metadata = Markup(facts.pop("metadata").to_yaml(line_break="\n"))
        return jinja().from_string(text).render(metadata=metadata, **facts)
    except UserError:
        raise
    except (jinja2.UndefinedError, ArithmeticError, AttributeError, TypeError, ValueError, RecursionError) as error:
        raise UserError(f"{folder}: a fact of the card is missing or of the wrong kind ({error})") from error
