"""Fuzz the loader, guided by its coverage: whatever bytes are in a folder, it loads or is refused in one line.

    pip install atheris
    python benchmarks/fuzz_loader.py -runs=50000 -len_control=0 -max_len=12000

The flags are libFuzzer's. The first byte of an input says which file of an encoder's or an agent's folder is replaced
by the rest. The modules of this project are instrumented; safetensors and torch are not, being native. It stops at the
first input that does something else, and keeps that in a file `crash-…`.
"""

import atexit
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import atheris

sys.path[0] = str(Path(__file__).resolve().parents[1])
with atheris.instrument_imports(include=["diffsr_hub", "finetune.agent"]):
    from diffsr_hub import DiffSR, UserError, from_pretrained
    from finetune import Agent

SIZES: dict[str, Any] = {"feature_dim": 4, "psi_hidden": [4], "nu_hidden": [4], "num_levels": 2, "num_frequencies": 2}
FILES = ("config.json", "model.safetensors")


class Folders:
    """A folder of each kind, in which one file at a time is replaced.

    Args:
        root: Where they are.
    """

    def __init__(self, root: Path) -> None:
        self.folders = (root / "encoder", root / "agent")
        encoder = DiffSR(2, 1, **SIZES)
        encoder.save_pretrained(self.folders[0])
        agent = Agent(encoder.arguments, "X-v0", [-1.0], [1.0], actor_hidden=[4], critic_frequencies=2)
        agent.save_pretrained(self.folders[1])
        self.kept = {folder / name: (folder / name).read_bytes() for folder in self.folders for name in FILES}

    def seeds(self, corpus: Path) -> None:
        """Inputs that change nothing, from which the fuzzer goes on."""
        corpus.mkdir()
        for number, content in enumerate(self.kept.values()):
            (corpus / f"{number}").write_bytes(bytes([number]) + content)

    def try_one(self, data: bytes) -> None:
        """Load the folder with one file replaced.

        Raises:
            AssertionError: It loads into something unsound, or the refusal is not one line.
        """
        file = list(self.kept)[data[0] % len(self.kept)] if data else next(iter(self.kept))
        file.write_bytes(data[1:])
        try:
            model = from_pretrained(file.parent)
        except UserError as error:
            assert "\n" not in str(error) and "\x1b" not in str(error) and len(str(error)) < 1_500
        else:
            assert type(model) in (DiffSR, Agent)
            assert all(tensor.isfinite().all() for tensor in model.state_dict().values())
        finally:
            file.write_bytes(self.kept[file])


def main() -> None:
    """Fuzz until libFuzzer's flags say that it is enough."""
    root = Path(tempfile.mkdtemp(prefix="diffsr-fuzz-"))
    atexit.register(shutil.rmtree, root)  # libFuzzer ends the process itself
    folders = Folders(root)
    folders.seeds(root / "corpus")
    atheris.Setup([*sys.argv, str(root / "corpus")], folders.try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
