"""Commands that other packages add to the program, by entry points.

An entry point of the group ``talentflow.commands`` names a function that takes the Typer
application and adds commands to it. It should import what is heavy inside its commands.
"""

from __future__ import annotations

import os
from importlib import metadata

import typer

COMMANDS_GROUP = "talentflow.commands"


def add_commands(app: typer.Typer) -> list[str]:
    """Let every installed plug-in add its commands.

    Parameters
    ----------
    app : typer.Typer
        The application.

    Returns
    -------
    list of str
        A warning for each plug-in that could not be loaded; the others are not touched by that.
    """
    warnings = []
    for entry in sorted(metadata.entry_points(group=COMMANDS_GROUP), key=lambda e: e.name):
        try:
            entry.load()(app)
        except Exception as error:
            if os.environ.get("TALENTFLOW_DEBUG"):
                raise
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            warnings.append(f"the commands of '{entry.name}' are missing: {reason}")
    return warnings
