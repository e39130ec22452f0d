"""The command lines of `diffsr publish`, `card`, `info` and `list`; they need the base installation only."""

import sys
from collections.abc import Sequence
from pathlib import Path

from diffsr_hub.errors import exit_codes
from diffsr_hub.runs.command import verb_parser


@exit_codes()
def publish_main(argv: Sequence[str] | None = None) -> None:
    """`diffsr publish`."""
    parser = verb_parser("publish", "Upload an exported folder to the Hugging Face Hub, byte for byte, in one commit.")
    parser.add_argument("folder", type=Path, help="such as runs/NAME/encoder or runs/NAME/agent")
    parser.add_argument("repository", metavar="org/name", help="where it goes; created where it does not exist")
    parser.add_argument("--private", action="store_true", help="create it so that only its owners see it")
    parser.add_argument("--revision", default="main", metavar="BRANCH", help="branch, created where it does not exist")
    parser.add_argument("--tag", help="name for this version, such as v1; an existing one is never moved")
    parser.add_argument("--message", help="title of the commit")
    parser.add_argument("--dry_run", action="store_true", help="only show what would go; no network")
    options = vars(parser.parse_args(argv))
    if options.pop("dry_run"):
        return _show(options["folder"], options["repository"])
    from diffsr_hub.hub.publish import publish

    published = publish(**options)
    print(f"{published.url}\ncommit {published.commit}")
    print(f'{published.kind}.from_pretrained("{options["repository"]}", revision="{published.commit}")')


@exit_codes()
def card_main(argv: Sequence[str] | None = None) -> None:
    """`diffsr card`."""
    parser = verb_parser("card", "Write README.md anew from the JSON files beside it.")
    parser.add_argument("folder", type=Path, help="such as runs/NAME/encoder or runs/NAME/agent")
    parser.add_argument("--repository", metavar="org/name", help="what the card tells readers to load")
    options = parser.parse_args(argv)
    from diffsr_hub.cards.card import write_card
    from diffsr_hub.hub.names import check_repository
    from diffsr_hub.saved.file_names import CARD

    if options.repository is None:
        write_card(options.folder)
    else:
        check_repository(options.repository)
        write_card(options.folder, options.repository)
    print(options.folder / CARD)


@exit_codes()
def info_main(argv: Sequence[str] | None = None) -> None:
    """`diffsr info`."""
    parser = verb_parser("info", "Show what a folder or a repository holds, without downloading its weights.")
    parser.add_argument("source", metavar="FOLDER|org/name", help="an exported folder, or a repository of the Hub")
    parser.add_argument("--revision", help="branch, tag or commit of the repository")
    options = parser.parse_args(argv)
    from diffsr_hub.hub.inspect import describe

    facts = describe(options.source, options.revision)
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:<{width}}  {value}")


@exit_codes()
def list_main(argv: Sequence[str] | None = None) -> None:
    """`diffsr list`."""
    parser = verb_parser("list", "List the models of diffsr-hub on the Hub.")
    parser.add_argument("--author", metavar="org", help="only those of this user or organisation")
    parser.add_argument("--limit", type=int, default=100, help="at most this many (100)")
    options = parser.parse_args(argv)
    from diffsr_hub.hub.inspect import list_models

    found = list_models(options.author, options.limit)
    widths = [max(map(len, column)) for column in zip(*found, strict=True)]
    for model in found:
        print("  ".join(f"{text:<{width}}" for text, width in zip(model, widths, strict=True)).rstrip())
    if not found:
        print(f"no models of diffsr-hub{f' by {options.author}' if options.author else ''}", file=sys.stderr)


def _show(folder: Path, repository: str) -> None:
    from diffsr_hub.hub.names import check_repository
    from diffsr_hub.hub.publishable import publishable

    check_repository(repository)
    files = publishable(folder, repository)
    sizes = [file.stat().st_size for file in files]
    for file, size in zip(files, sizes, strict=True):
        print(f"{size:>14,}  {file.name}")
    print(f"{sum(sizes):>14,}  bytes would be published as {repository}; nothing was sent")
