"""What the tests of cards share: a folder's card, taken apart."""

from pathlib import Path

import yaml

from diffsr_hub.cards.card import write_card


def card(folder: Path) -> str:
    write_card(folder)
    return (folder / "README.md").read_text(encoding="utf-8")


def metadata(text: str) -> dict:
    return yaml.safe_load(text.split("\n---\n", 1)[0].removeprefix("---\n"))


def row(text: str, label: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {label} |")]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


HOSTILE = "x\n---\nlicense: gpl\n---\n# Big <script>alert(1)</script> | `code` ![i](u)\n```\n{{ config }}\x1b[31m\u202e"
