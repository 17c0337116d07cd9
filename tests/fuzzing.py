"""Mutated input: small damage to valid files, the kind that people and disks do.

``python tests/fuzzing.py 100000`` runs as many inputs through every reader; the tests run a few
thousand. A reader may refuse an input by a UserError, or take it; anything else is a fault.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from analysis.benchmark.memory import resident
from sim.errors import UserError

SECONDS = 2.0
"""No input may take more time of the processor; a machine under load takes longer by the clock."""
MEMORY = 1 << 30
"""The process may not take more bytes."""
WORDS = (
    *("", "~", "null", "true", "no", "yes", ".nan", ".inf", "-.inf", "1e400", "-1", "0", "1e-320"),
    *("2024-02-30", "0x10", "0o7", "1_000", "=", "<<: *a", "&a", "*a", "!!python/object:os.system"),
    *(
        "!!binary",
        "{",
        "}",
        "[",
        "]",
        "- ",
        "? ",
        ": ",
        "|",
        ">",
        "%YAML 1.1",
        "---",
        "...",
        "@",
        "`",
    ),
    *(
        "Beijing",
        "北京",
        "\u202e",
        "\x00",
        "\ufeff",
        "é" * 50,
        "9" * 400,
        "a" * 3000,
        ",,,",
        '"',
        "'",
    ),
    *("../../etc/passwd", "/dev/null", "\t", "\r\n", "\u2028", "#", "nan", "inf", "1,5", "-0.0"),
)


def mutate(text: str, rng: random.Random) -> bytes:
    """Return a text with one to four kinds of damage, as bytes."""
    for _ in range(rng.randint(1, 4)):
        text = rng.choice(_DAMAGES)(text, rng)
    data = text.encode("utf-8", "surrogatepass")
    if rng.random() < 0.1 and data:
        at = rng.randrange(len(data))
        data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
    return data[: rng.randrange(len(data) + 1)] if rng.random() < 0.05 else data


def _lines(change: Callable[[list[str], random.Random], None]) -> Callable[..., str]:
    def damage(text: str, rng: random.Random) -> str:
        lines = text.splitlines()
        if lines:
            change(lines, rng)
        return "\n".join(lines) + "\n"

    return damage


def _repeat(lines: list[str], rng: random.Random) -> None:
    at = rng.randrange(len(lines))
    lines[at:at] = [lines[rng.randrange(len(lines))]] * rng.choice((1, 2, 30))


def _drop(lines: list[str], rng: random.Random) -> None:
    del lines[rng.randrange(len(lines))]


def _indent(lines: list[str], rng: random.Random) -> None:
    at = rng.randrange(len(lines))
    lines[at] = rng.choice((" ", "  ", "\t", "- ")) + lines[at]


def _replace(text: str, rng: random.Random) -> str:
    """Put a word in the place of another, split at what YAML and CSV split at."""
    places = [k for k, sign in enumerate(text) if sign in " ,:\n[]{}"]
    if len(places) < 2:
        return rng.choice(WORDS)
    at = rng.randrange(len(places) - 1)
    return text[: places[at] + 1] + rng.choice(WORDS) + text[places[at + 1] :]


def _insert(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice(WORDS) + text[at:]


def _delete(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + text[at + rng.randint(1, 12) :]


def _digit(text: str, rng: random.Random) -> str:
    digits = [k for k, sign in enumerate(text) if sign.isdigit()]
    if not digits:
        return text
    at = rng.choice(digits)
    return text[:at] + rng.choice("0123456789-.e") + text[at + 1 :]


_DAMAGES = (
    *(_lines(_repeat), _lines(_drop), _lines(_indent)),
    *(_replace, _replace, _replace, _insert, _delete, _digit),
)


def _scenarios() -> list[str]:
    folder = Path(__file__).parents[1] / "scenarios"
    return [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.yaml"))]


def _index_tables() -> list[str]:
    from sim.index_table import names

    rows = [
        f"City {k}," + ",".join(str(round(1.5 * k + j, 2)) for j in range(24)) for k in range(6)
    ]
    return ["city," + ",".join(names()) + "\n" + "\n".join(rows) + "\n"]


def _flow_tables() -> list[str]:
    pairs = [(a, b, y) for a in ("US", "CN", "DE") for b in ("FR", "GB") for y in (2005, 2006)]
    rows = [f"{a},{b},{y},{y - 2000}" for a, b, y in pairs]
    return ["origin,destination,year,value\n" + "\n".join(rows) + "\n"]


def _read_scenario(path: Path) -> None:
    from sim.scenario import load_scenario

    load_scenario(str(path))


def _read_index(path: Path) -> None:
    from sim.index import compute_index

    compute_index(path)


def _read_flows(path: Path) -> None:
    from calibration.flows_table import read_flows

    read_flows(path)


READERS: dict[str, tuple[Callable[[], list[str]], Callable[[Path], None], str]] = {
    "scenario": (_scenarios, _read_scenario, ".yaml"),
    "index": (_index_tables, _read_index, ".csv"),
    "flows": (_flow_tables, _read_flows, ".csv"),
}


def _bomb() -> str:
    """Ten levels of ten aliases each: ten thousand million values."""
    lists = (f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]" for k in range(1, 10))
    return "\n".join(["a0: &a0 [x, x, x, x, x, x, x, x, x, x]", *lists]) + "\n"


def _extreme_scenarios() -> Iterator[str]:
    """Yield scenarios of extreme size, depth and numbers."""
    numbers = ("1e18", "1e9", "1e400", "-1", "9" * 400, "9" * 100_000)
    places = ("population: {agents: %s}", "horizon: {years: %s}", "seed: %s", "[%s]")
    yield from (place % number for place in places for number in numbers)
    yield from (
        *(_bomb(), _bomb() + "title: *a9\n", "title: &a [*a]\n", "seed: &a\n  <<: *a\n"),
        *("[" * 100_000, "title: " + "[" * 400_000 + "]" * 400_000, "a: " + "{a: " * 200_000),
        *("\n".join(" " * k + "a:" for k in range(1400)), "? " * 400_000, "- " * 400_000),
        *("title: " + "x" * 900_000, "title: " + "x" * 50_000_000, "#" * 50_000_000),
        *("\0" * 900_000, "a: 1\n" * 190_000, "&a " * 300_000, "!!x " * 200_000),
        "\n".join(f"x{k}: &a{k} x" for k in range(60_000)),
        "interventions:\n" + "  - {name: x}\n" * 60_000,
        "interventions:\n" + "".join(f"  - {{name: x{k}}}\n" for k in range(40_000)),
    )


def _extreme_tables(text: str, most: int) -> Iterator[str]:
    """Yield tables of extreme shape, below and above the size that is read."""
    header, row = text.splitlines()[:2]
    rest, least = row.partition(",")[2], most - 10_000
    yield from (sign * least for sign in ',"\n\0')
    yield header + "," * least
    for size in (least, 50_000_000):
        yield from ("x" * size, header + "\n" + "9" * size, '"' + "x" * size, header + "y" * size)
        yield header + "\n" + (row + "\n") * (size // (len(row) + 1))
    yield header + "\n" + "".join(f"{k},{rest}\n" for k in range(least // (len(rest) + 8)))
    yield text.replace("1", "9" * 100_000)


def extremes(kind: str, folder: Path) -> Iterator[Attempt]:
    """Yield inputs of extreme size, depth and shape with what came of them."""
    from calibration import flows_table
    from sim import index_table

    texts, read, suffix = READERS[kind]
    sizes = {"index": index_table.MAX_BYTES, "flows": flows_table.MAX_BYTES}
    chosen = _extreme_scenarios() if kind == "scenario" else _extreme_tables(*texts(), sizes[kind])
    file = folder / f"input{suffix}"
    for text in chosen:
        file.write_text(text, encoding="utf-8")
        yield attempt(read, file, text[:400].encode())._replace(size=len(text))


class Attempt(NamedTuple):
    """An input, what came of it (taken, refused, slow or fault), and the error if there was one."""

    data: bytes
    outcome: str
    error: BaseException | None
    seconds: float = 0.0
    size: int = 0


def attempt(read: Callable[[Path], object], target: Path, data: bytes) -> Attempt:
    """Give a reader an input and see what comes of it."""
    started = time.process_time()
    outcome, error = "taken", None
    try:
        read(target)
    except UserError as refused:
        outcome, error = ("fault" if "\n" in str(refused).strip() else "refused"), refused
    except BaseException as fault:
        outcome, error = "fault", fault
    seconds = time.process_time() - started
    if seconds > SECONDS:
        outcome = "slow"
    return Attempt(data, outcome, error, seconds, len(data))


def attempts(kind: str, number: int, seed: int, folder: Path) -> Iterator[Attempt]:
    """Yield mutated inputs of one kind with what came of them."""
    texts, read, suffix = READERS[kind]
    rng, originals = random.Random(seed), texts()
    file = folder / f"input{suffix}"
    for _ in range(number):
        data = mutate(rng.choice(originals), rng)
        file.write_bytes(data)
        yield attempt(read, file, data)


def damaged_runs(number: int, seed: int, folder: Path) -> Iterator[Attempt]:
    """Yield what the reader of results says of runs of which one file is damaged."""
    from sim.results import read_run
    from sim.runner import run_scenario
    from sim.scenario import load_scenario

    run, rng = folder / "run", random.Random(seed)
    small = load_scenario("baseline", {"population.agents": 500, "horizon.years": 1})
    run_scenario(small, run, pictures=False)
    files = sorted(file for file in run.iterdir() if file.is_file())
    for _ in range(number):
        file = rng.choice(files)
        whole = file.read_bytes()
        data = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(data) + 1)
            data[at : at + rng.choice((0, 1, 1, 1, 40))] = rng.randbytes(rng.choice((0, 1, 1, 7)))
            data = data[: rng.randrange(len(data) + 1)] if rng.random() < 0.1 else data
        file.write_bytes(data)
        yield attempt(read_run, run, bytes(data))
        file.write_bytes(whole)


def main() -> int:
    """Run as many inputs as asked for through every reader; print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("number", type=int, help="inputs, shared out over the readers")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    each, bad = chosen.number // (len(READERS) + 1), 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        studies = {f"extreme {kind}": extremes(kind, folder) for kind in READERS}
        studies |= {kind: attempts(kind, each, chosen.seed, folder) for kind in READERS}
        if each:
            studies["results"] = damaged_runs(each, chosen.seed, folder)
        for kind, study in studies.items():
            counts: Counter[str] = Counter()
            slowest = 0.0
            for data, outcome, error, seconds, size in study:
                counts[outcome] += 1
                slowest = max(slowest, seconds)
                if outcome in ("fault", "slow"):
                    bad += 1
                    sys.stdout.write(
                        f"{kind}: {outcome} after {seconds:.1f} s: {error!r}\n"
                        f"  {size} bytes, {data[:400]!r}\n"
                    )
            peak = resident(highest=True)
            sys.stdout.write(
                f"{kind}: {dict(counts)}, slowest {slowest:.2f} s, peak {peak >> 20} MiB\n"
            )
            bad += peak > MEMORY
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
