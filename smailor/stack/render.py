"""Configuration from the roles' templates, exactly as Ansible renders it: same files, same variables, same rules.

Values in, text out; the one thing read is `roles/`. What a value is in a local service is decided in variables.py.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import yaml

from smailor.errors import ConfigError

ROLES = Path(__file__).resolve().parents[2] / "roles"


class Role:
    """One role's templates with its defaults, some of them overridden.

    Args:
        name: the role's folder.
        values: variables that differ from `defaults/main.yml`, or that have no default.

    Raises:
        ConfigError: the role is not there, or a variable is none of its own.
    """

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        folder = ROLES / name
        try:
            defaults = yaml.safe_load((folder / "defaults" / "main.yml").read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise ConfigError(f"{folder} is missing: smailor up runs from a clone of the repository") from error
        foreign = [key for key in values if not key.startswith(f"{name}_")]
        if foreign:
            raise ConfigError(f"role {name} has no variables named {', '.join(foreign)}")
        self.variables: dict[str, Any] = {**defaults, **values}
        # Ansible's own settings for templates; StrictUndefined so that a misspelt variable is an error.
        self._environment = jinja2.Environment(  # noqa: S701 - configuration files, not HTML
            loader=jinja2.FileSystemLoader(folder / "templates"),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            keep_trailing_newline=True,
        )

    def templates(self, folder: str = "") -> tuple[str, ...]:
        """The names of the role's templates below a folder of `templates/`, sorted."""
        return tuple(name for name in self._environment.list_templates() if name.startswith(folder))

    def render(self, template: str) -> str:
        """Return a template's text with the role's variables.

        Args:
            template: its path below `templates/`.

        Raises:
            ConfigError: it uses a variable that has no value.
        """
        try:
            return self._environment.get_template(template).render(self.variables)
        except jinja2.UndefinedError as error:
            raise ConfigError(f"roles template {template}: {error.message}") from error

    def write(self, template: str, target: Path, *, mode: int = 0o644, owner: tuple[int, int] = (0, 0)) -> None:
        """Render a template into a file with this mode and (uid, gid)."""
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.touch(mode=0o600)
        target.write_text(self.render(template), encoding="utf-8")
        os.chown(target, *owner)
        target.chmod(mode)
