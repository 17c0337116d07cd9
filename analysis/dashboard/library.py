"""The scenarios that the dashboard may read: the shipped ones and those of one folder.

Names come from the browser, so they are looked up in a listing and never joined to a path. A file
of the folder may extend shipped scenarios and other files of the folder, nothing outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sim import documents
from sim.documents import Place
from sim.errors import UserError, did_you_mean
from sim.scenario import Scenario, load_scenario, shipped
from sim.scenario_files import MAX_EXTENDS, locate

SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class Library:
    """Shipped scenarios, and the files of one folder.

    Attributes
    ----------
    folder : pathlib.Path or None
        Folder whose YAML files may be picked too; not those of folders in it.
    """

    folder: Path | None = None

    def __post_init__(self) -> None:
        if self.folder is not None and not self.folder.is_dir():
            raise UserError(f"--scenarios: {self.folder} is no folder; give one with YAML files")

    def names(self) -> list[str]:
        """Return what may be picked: shipped names, then files of the folder with their suffix."""
        return [*shipped(), *sorted(self._files())]

    def load(self, name: str) -> Scenario:
        """Load a scenario.

        Parameters
        ----------
        name : str
            One of :meth:`names`.

        Returns
        -------
        Scenario

        Raises
        ------
        UserError
            If the name is not in the listing, or the scenario is wrong or reaches out of the
            folder.
        """
        if name in shipped():
            return load_scenario(name)
        file = self._files().get(name)
        if file is None:
            mend = did_you_mean(name, self.names()) or "; pick one from the list"
            raise UserError(f"there is no scenario {documents.shown(name)}{mend}")
        self._check_chain(file)
        return load_scenario(file)

    def _files(self) -> dict[str, Path]:
        """Return the regular YAML files of the folder by name; links out of it are left out."""
        if self.folder is None:
            return {}
        home = self.folder.resolve()
        try:
            found = [path for path in self.folder.iterdir() if path.suffix in SUFFIXES]
        except OSError as error:
            raise UserError(f"{self.folder}: cannot be read ({error.strerror})") from None
        return {
            path.name: path
            for path in found
            if not path.name.startswith(".") and path.is_file() and _within(path, home)
        }

    def _check_chain(self, file: Path) -> None:
        """Raise a UserError if a file, or what it extends, reaches out of the folder."""
        assert self.folder is not None
        home = self.folder.resolve()
        for _ in range(MAX_EXTENDS + 1):
            extends = documents.read(file).value.get("extends")
            if extends is None or not isinstance(extends.value, str) or extends.value in shipped():
                return
            place = Place(str(file), extends.place.line)
            file = locate(extends.value, place)
            if not _within(file, home):
                raise UserError(
                    f"{place}: extends: reaches out of the folder of scenarios, where the "
                    "dashboard does not read; copy the file into the folder"
                )


def _within(path: Path, home: Path) -> bool:
    try:
        return path.resolve().is_relative_to(home)
    except (OSError, RuntimeError):
        return False


SERVED = Library()
"""What the dashboard of this process serves; the command sets it before it starts."""


def serve(library: Library) -> None:
    """Set the library that the dashboard of this process serves."""
    global SERVED
    SERVED = library


def served() -> Library:
    """Return the library that the dashboard of this process serves."""
    return SERVED
