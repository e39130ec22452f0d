"""Laws of printing: whatever is behind the streams, a program comes to its end, and says so where output was lost."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = [
    file
    for folder in ("benchmarks", "diffsr_hub", "finetune", "pretrain")
    for file in sorted((ROOT / folder).rglob("*.py"))
    if '__name__ == "__main__"' in file.read_text(encoding="utf-8") and file.name != "fuzz_loader.py"
]
PRINTS = """
from diffsr_hub.errors import exit_codes
from rich.console import Console
from rich.progress import track
from tqdm import tqdm
import sys

@exit_codes()
def main():
    for _ in track(tqdm(range(3), file=sys.stdout), "ψ ± × …"):
        print("ψ ± × … é", flush=True)
    Console().print("ψ ± × …")
    print("ψ", file=sys.stderr)
    open("result", "w").close()
    print("ψ" * 100_000)

main()
"""


def shell(command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command, in which `$PRINTS` is a program that prints and then makes the file `result`."""
    (folder / "prints.py").write_text(PRINTS, encoding="utf-8")
    path = {"PYTHONPATH": str(ROOT), "PATH": "/bin:/usr/bin", "PRINTS": f"{sys.executable} prints.py"}
    settings = {"cwd": folder, "env": {**path, **environment}, "capture_output": True}
    return subprocess.run(command, shell=True, check=False, **settings)


@pytest.mark.parametrize("encoding", ["latin-1", "ascii:surrogateescape", "utf-16"])
def test_characters_that_the_encoding_does_not_have_are_replaced(tmp_path, encoding):
    done = shell("$PRINTS", tmp_path, PYTHONIOENCODING=encoding)
    assert done.returncode == 0 and (tmp_path / "result").exists(), done.stderr
    assert "ψ ± × … é".encode(encoding.split(":")[0], "replace")[-1:] in done.stdout


def test_an_environment_without_a_locale_prints(tmp_path):
    done = shell("$PRINTS", tmp_path, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert done.returncode == 0 and (tmp_path / "result").exists(), done.stderr


def test_a_reader_who_leaves_stops_nothing(tmp_path):
    done = shell("($PRINTS; echo $? > code) | head -c 1", tmp_path)
    assert (tmp_path / "code").read_text() == "0\n" and (tmp_path / "result").exists()
    assert done.stderr == "ψ\n".encode()


def test_an_error_that_nobody_reads_is_still_an_exit_code(tmp_path):
    raises = "from diffsr_hub.errors import *\nwith exit_codes():\n    raise UserError('ψ')"
    (tmp_path / "raises.py").write_text(raises, encoding="utf-8")
    assert shell(f"{sys.executable} raises.py 2>/dev/full", tmp_path).returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk to print to")
def test_a_full_disk_behind_the_output_is_said_after_the_work_is_done(tmp_path):
    done = shell("$PRINTS > /dev/full", tmp_path)
    assert (tmp_path / "result").exists()
    assert done.returncode == 2
    assert done.stderr.decode().splitlines()[-1] == (
        "error: the program is through, but its output was lost: No space left on device"
    )


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_stop_nothing(tmp_path, closed):
    assert shell(f"$PRINTS {closed}", tmp_path).returncode == 0
    assert (tmp_path / "result").exists()


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_program_prints_so(program):
    text = program.read_text(encoding="utf-8")
    ways = (
        "@exit_codes()\ndef main(",
        "with exit_codes():\n",
        "\n    start(main)",  # of benchmarks/program.py
        "from diffsr_hub.cli import main\n",
    )
    assert any(way in text for way in ways)
