"""Whether something large fits into memory, found out before it is allocated."""

from pathlib import Path

from diffsr_hub.errors import UserError

_TOLD = Path("/proc/meminfo")
_UNITS = ((1e9, "GB"), (1e6, "MB"))


def check_memory(needed: int, what: str, advice: str) -> None:
    """Refuse what does not fit into the memory that is free now; where the system does not tell, anything fits.

    Args:
        needed: Bytes.
        what: That needs them, such as `a replay buffer of 1,000 rows`.
        advice: What would need less.

    Raises:
        UserError: It does not fit.
    """
    free = available()
    if free is not None and needed > free:
        raise UserError(f"{what} need {_text(needed)} of memory, and {_text(free)} are free: {advice}")


def available() -> int | None:
    """Bytes that programs can still have, without swapping; None where the system does not tell."""
    try:
        lines = dict(line.split(":", maxsplit=1) for line in _TOLD.read_text().splitlines() if ":" in line)
        return 1024 * int(lines["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError, IndexError):
        return None


def _text(size: int) -> str:
    scale, unit = next((pair for pair in _UNITS if size >= pair[0]), _UNITS[-1])
    return f"{size / scale:,.1f} {unit}"
