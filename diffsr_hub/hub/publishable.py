"""What may be published: exactly the files of an export, that load strictly, with the card that they render."""

from pathlib import Path

from diffsr_hub.cards.card import render
from diffsr_hub.errors import UserError
from diffsr_hub.files.lfs import check_no_pointer
from diffsr_hub.saved.download import check_not_a_run
from diffsr_hub.saved.file_names import CARD, CONFIG
from diffsr_hub.saved.kinds import Kind, kind_of
from diffsr_hub.saved.tokens import holds_token

_BEGINNINGS = {".png": (b"\x89PNG\r\n", "a picture"), ".mp4": (b"ftyp", "a film")}
"""suffix → what a file of that kind has within its first 12 bytes, and is"""


def publishable(folder: Path, repository: str) -> list[Path]:
    """The files of a folder that is ready to be published, by name.

    Args:
        folder: As pretraining or fine-tuning exports it.
        repository: That the card has to tell readers to load.

    Raises:
        UserError: It does not load, holds other files, or its card is not what they say.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder")
    check_not_a_run(folder)
    files = sorted(folder.iterdir())
    _check_plain(files)
    kind = kind_of(folder / CONFIG)
    _check_names(folder, {file.name for file in files}, kind)
    kind.load_class().from_pretrained(folder)
    _check_beginnings(files)
    _check_card(folder, repository)
    _check_secrets(files)
    return files


def _check_plain(files: list[Path]) -> None:
    for file in files:
        if file.is_symlink() or not file.is_file():
            raise UserError(f"{file} is a link or a folder; only plain files are published")
        check_no_pointer(file)


def _check_names(folder: Path, names: set[str], kind: Kind) -> None:
    if missing := sorted(kind.required - names):
        raise UserError(f"{folder} lacks {', '.join(missing)}: it is not a whole export")
    if extra := sorted(names - kind.required - kind.optional):
        raise UserError(f"{folder} holds {', '.join(map(repr, extra[:5]))}, which would be published: move it away")


def _check_beginnings(files: list[Path]) -> None:
    for file in files:
        beginning, kind = _BEGINNINGS.get(file.suffix, (b"", ""))
        with file.open("rb") as content:
            if beginning not in content.read(12):
                raise UserError(f"{file} is not {kind}")


def _check_card(folder: Path, repository: str) -> None:
    """Refuse a card that says anything but what the files beside it say, all of which are read for that."""
    expected = render(folder, repository).encode()
    with (folder / CARD).open("rb") as card:
        if card.read(len(expected) + 1) != expected:
            raise UserError(
                f"{folder / CARD} is not what its files say of {repository}: "
                f"`diffsr card {folder} --repository {repository}` writes it anew"
            )


def _check_secrets(files: list[Path]) -> None:
    """Refuse a token in a text, such as the command that something was made with."""
    for file in files:
        if file.suffix in (".json", ".md") and holds_token(file.read_text(encoding="utf-8")):
            raise UserError(f"{file} holds an access token: take it out, revoke it, and write the card anew")
