"""What the site takes from outside ``docs/``: pages beside the code, and the API reference.

Every text is kept once, where readers of the repository look for it; links between them are turned
into links of the site. Pages that the navigation does not name are added to its end.
"""

from __future__ import annotations

import ast
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("sim", "scenarios", "calibration", "analysis")
#: Pages of the site (and files, by their own ending) that stand elsewhere in the repository.
OUTSIDE = {
    "index.md": "README.md",
    "data/cities.md": "sim/data/README.md",
    "data/landscape.md": "sim/data/LANDSCAPE.md",
    "data/indicators.md": "sim/data/INDICATORS.md",
    "changelog.md": "CHANGELOG.md",
    "licence.md": "LICENSE",
    "CITATION.cff": "CITATION.cff",
}
_SITE = {source: uri for uri, source in OUTSIDE.items()}
_LINK = re.compile(r"(\]\()([^)\s#:]+)((?:#[^)\s]*)?\))")
_FENCE = re.compile(r"(```.*?```)", re.DOTALL)


def modules() -> dict[str, list[tuple[str, str]]]:
    """Return (dotted name, first line of the docstring) of every public module, by package."""
    found: dict[str, list[tuple[str, str]]] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            if any(part.startswith("_") for part in name.split(".")):
                continue
            text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            found.setdefault(package, []).append((name, text.split("\n\n")[0].replace("\n", " ")))
    return found


def on_config(config: Any) -> Any:
    """Add the API reference, and pages that the navigation leaves out, to the navigation."""
    pages = [
        {package: [{name.removeprefix(f"{package}."): _page(name)} for name, _ in rows]}
        for package, rows in modules().items()
    ]
    config.nav.append({"API": ["api/index.md", *pages]})
    named = set(re.findall(r"[\w/-]+\.md", str(config.nav)))
    docs = Path(config.docs_dir)
    paths = sorted(path.relative_to(docs).as_posix() for path in docs.rglob("*.md"))
    more = [uri for uri in paths if uri not in named and not uri.startswith("site/")]
    if more:
        config.nav.append({"More": more})
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages from elsewhere and the pages of the API."""
    for uri, source in OUTSIDE.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, uri, content=text))
    lines = [
        "# API reference",
        "",
        "Every public module, by package. Start with `import sim as tf` ([sim.api](sim/api.md)):",
        "load, change, run and compare scenarios.",
    ]
    for package, rows in modules().items():
        lines += ["", f"## {package}", "", "| module | what it is for |", "|---|---|"]
        for name, about in rows:
            link = posixpath.relpath(_page(name), "api")
            lines.append(f"| [{name}]({link}) | {about.replace('|', '/')} |")
            files.append(File.generated(config, _page(name), content=f"::: {name}\n"))
    files.append(File.generated(config, "api/index.md", content="\n".join(lines) + "\n"))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Turn links between files of the repository into links between pages of the site."""
    here = page.file.src_uri
    if here.startswith("api/"):
        return markdown
    folder = posixpath.dirname(OUTSIDE.get(here, f"docs/{here}"))

    def turned(match: re.Match[str]) -> str:
        source = posixpath.normpath(posixpath.join(folder, match[2]))
        uri = _SITE.get(source, source.removeprefix("docs/"))
        return match[1] + posixpath.relpath(uri, posixpath.dirname(here) or ".") + match[3]

    parts = _FENCE.split(markdown)
    return "".join(p if p.startswith("```") else _LINK.sub(turned, p) for p in parts)


def _page(name: str) -> str:
    return f"api/{name.replace('.', '/')}.md"
