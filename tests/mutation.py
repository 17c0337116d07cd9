"""Mutation score: how many small faults, put into a module of ``sim``, its tests notice.

``python tests/mutation.py kernel 25 --seed 1`` draws 25 faults (another operator, comparison,
constant or branch, a statement left out) in ``sim/kernel.py``, runs the tests that bear on the
module against each, and prints which faults survived and the share that was killed. Other tests may
be named by ``--tests``. It works on a temporary copy; kernels are compiled anew for each fault, so
one takes 5 to 30 seconds. A test that stops with an error or at the time limit has noticed, too.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = {
    "behaviour": ["test_decision", "test_draws", "test_interpreted"],
    "dense": ["test_dense", "test_interpreted"],
    "expected": ["test_decision", "test_draws", "test_interpreted"],
    "fastmath": ["test_fastmath", "test_dense"],
    "feedback": ["test_feedback", "test_simulation"],
    "kernel": ["test_decision", "test_draws", "test_interpreted", "test_invariants"],
    "lifecycle": ["test_lifecycle", "test_simulation"],
    "rng": ["test_rng", "test_decision"],
    "selection": ["test_selection", "test_interpreted", "test_policy"],
}
SWAPS = """
Add:Sub Sub:Add Mult:Div Div:Mult FloorDiv:Mult Mod:Mult Pow:Mult BitAnd:BitOr BitOr:BitAnd
LShift:RShift RShift:LShift And:Or Or:And Lt:LtE,Gt LtE:Lt,Gt Gt:GtE,Lt GtE:Gt,Lt Eq:NotEq NotEq:Eq
Is:IsNot IsNot:Is In:NotIn NotIn:In
"""
OTHER = {name: others.split(",") for name, others in (pair.split(":") for pair in SWAPS.split())}
TWINS = {"min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum", "any": "all"}


def faults(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what could stand in the place of a node by mistake."""
    match node:
        case ast.BinOp() | ast.AugAssign() | ast.BoolOp():
            for other in OTHER.get(type(node.op).__name__, ()):
                yield _with(node, op=getattr(ast, other)())
        case ast.Compare(ops=[first, *rest]):
            for other in OTHER.get(type(first).__name__, ()):
                yield _with(node, ops=[getattr(ast, other)(), *rest])
        case ast.UnaryOp():
            yield node.operand
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(value=int() as value):
            yield from (ast.Constant(value + 1), ast.Constant(value - 1))
        case ast.Constant(value=float() as value):
            yield ast.Constant(value * 1.1 if value else 1.0)
        case ast.Name(id=name) if name in TWINS:
            yield ast.Name(TWINS[name])
        case ast.Attribute(value=value, attr=name) if name in TWINS:
            yield ast.Attribute(value, TWINS[name])
        case ast.IfExp():
            yield _with(node, body=node.orelse, orelse=node.body)
    if isinstance(node, ast.If) and not isinstance(node.test, ast.Compare):
        yield _with(node, test=ast.UnaryOp(ast.Not(), node.test))
    if isinstance(node, ast.AugAssign) or _writes(node) or _calls(node):
        yield ast.Pass()


def _with(node: ast.AST, **changed: object) -> ast.AST:
    return type(node)(**{**dict(ast.iter_fields(node)), **changed})


def _writes(node: ast.AST) -> bool:
    """Return whether a statement writes to an array or an attribute."""
    return isinstance(node, ast.Assign) and isinstance(
        node.targets[0], ast.Subscript | ast.Attribute
    )


def _calls(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)


def mutants(source: str) -> list[tuple[int, str, str]]:
    """Return all faulty texts of functions of a module: line, what was changed, whole text."""
    lines, found = source.splitlines(keepends=True), []
    starts = [sum(len(line.encode()) for line in lines[:k]) for k in range(len(lines))]
    text = source.encode()

    def visit(node: ast.AST, inside: bool) -> None:
        for other in faults(node) if inside else ():
            new = ast.unparse(ast.fix_missing_locations(other))
            if isinstance(node, ast.expr):
                new = f"({new})"
            elif isinstance(node, ast.If):
                new = new.replace("\n", "\n" + " " * node.col_offset)
            start = starts[node.lineno - 1] + node.col_offset
            stop = starts[node.end_lineno - 1] + node.end_col_offset
            change = f"{ast.unparse(node).splitlines()[0]}  ->  {new.splitlines()[0]}"
            mutant = text[:start] + new.encode() + text[stop:]
            found.append((node.lineno, change, mutant.decode()))
        inside = inside or isinstance(node, ast.FunctionDef)
        for name, value in ast.iter_fields(node):
            if name not in ("annotation", "returns", "decorator_list"):
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, ast.AST):
                        visit(child, inside)

    visit(ast.parse(source), inside=False)
    return found


def run(copy: Path, tests: list[str], limit: float) -> str:
    """Run the tests on the copy; return "survived" or how the fault was noticed."""
    cache = copy / "cache"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    environment |= {"PYTHONPATH": str(copy), "XDG_CACHE_HOME": str(cache), "PYTEST_ADDOPTS": ""}
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        return "time"
    return {0: "survived", 1: "test"}.get(done.returncode, "error")


def main() -> int:
    """Draw faults, run the tests against each, and print the score."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("module", help="a module of sim, such as kernel")
    parser.add_argument("number", type=int, nargs="?", default=25)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tests", nargs="+", help="names of test modules")
    given = parser.parse_args()
    names = given.tests or TESTS.get(given.module) or [f"test_{given.module}"]
    with tempfile.TemporaryDirectory(prefix="talentflow-mutation-") as folder:
        copy = Path(folder)
        ignored = shutil.ignore_patterns("__pycache__", "images")
        for name in ("sim", "scenarios", "calibration", "analysis", "tests"):
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
        shutil.copy(ROOT / "pyproject.toml", copy)
        tests = [f"tests/{name}.py" for name in names if (copy / f"tests/{name}.py").exists()]
        target = copy / "sim" / f"{given.module}.py"
        source = target.read_text("utf-8")
        start = time.monotonic()
        if run(copy, tests, 1800) != "survived":
            print("the tests fail without a fault")
            return 1
        limit = 60 + 3 * (time.monotonic() - start)
        every = mutants(source)
        drawn = random.Random(given.seed).sample(every, min(given.number, len(every)))
        survived = 0
        for line, change, text in sorted(drawn):
            target.write_text(text, "utf-8")
            outcome = run(copy, tests, limit)
            survived += outcome == "survived"
            print(f"{outcome:9}{given.module}.py:{line}: {change}", flush=True)
    killed = len(drawn) - survived
    print(f"{killed} of {len(drawn)} faults noticed (of {len(every)} possible, seed {given.seed})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
