"""The configuration of every process: one TOML file, overridden by environment variables, read into frozen values.

An unknown key is an error and names file, line and key: a misspelt limit must not be a silent default. Values from
the environment are `SMAILOR_<SECTION>_<KEY>` (lists separated by commas). Nothing here opens a socket or a database.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from smailor.config_checks import check
from smailor.config_sections import (
    ISSUERS,
    MAX_LIMIT,
    Anomalies,
    Authentication,
    Captcha,
    DatabaseSettings,
    Dns,
    Dovecot,
    Log,
    Login,
    Milter,
    Plan,
    Policyd,
    Probe,
    Provider,
    Secrets,
    Sending,
    Service,
    Settings,
    Warmup,
    Web,
)
from smailor.errors import ConfigError

__all__ = [
    "ISSUERS",
    "MAX_LIMIT",
    "Anomalies",
    "Authentication",
    "Captcha",
    "DatabaseSettings",
    "Dns",
    "Dovecot",
    "Log",
    "Login",
    "Milter",
    "Plan",
    "Policyd",
    "Probe",
    "Provider",
    "Secrets",
    "Sending",
    "Service",
    "Settings",
    "Warmup",
    "Web",
    "load_settings",
    "parse_settings",
]

DEFAULT_PATH = Path("/etc/smailor/smailor.toml")
_NAMED: Mapping[str, type] = {"plans": Plan, "providers": Provider}
"""Sections with a section for each name in them."""


def load_settings(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the configuration.

    Args:
        path: the TOML file; None: `SMAILOR_CONFIG` from the environment, else /etc/smailor/smailor.toml.
        environ: environment variables.

    Returns:
        The settings, every value of its declared type.

    Raises:
        ConfigError: the file cannot be read or a value cannot be used; the text names file, line and key.
    """
    path = path or Path(environ.get("SMAILOR_CONFIG") or DEFAULT_PATH)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    return parse_settings(text, source=str(path), environ=environ)


def parse_settings(text: str, *, source: str, environ: Mapping[str, str]) -> Settings:
    """Read the configuration from its text; arguments and errors as in `load_settings`."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source}: not valid TOML: {error}") from error
    sections = {entry.name: entry.type for entry in fields(Settings)}
    for name, content in document.items():
        if name not in sections or not isinstance(content, dict):
            raise _error(source, text, "", name, f"unknown section; known are {', '.join(sections)}")
    hints = get_type_hints(Settings)
    values: dict[str, Any] = {
        name: _named_sections(_NAMED[name], name, document.get(name, {}), text, source, environ)
        if name in _NAMED
        else _section(hints[name], name, document.get(name, {}), text, source, environ)
        for name in sections
    }
    settings = Settings(**values)
    check(settings, lambda section, key, message: _error(source, text, section, key, message))
    return settings


def _named_sections(
    kind: type, section: str, content: Mapping[str, Any], text: str, source: str, environ: Mapping[str, str]
) -> Mapping[str, object]:
    """Read `[section.NAME]`, one value of a kind for each name."""
    for name, entry in content.items():
        if not isinstance(entry, dict) or not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,49}", name):
            raise _error(source, text, section, name, f"expected a table such as [{section}.name]")
    return {name: _section(kind, f"{section}.{name}", entry, text, source, environ) for name, entry in content.items()}


def _section(
    kind: type, section: str, content: Mapping[str, Any], text: str, source: str, environ: Mapping[str, str]
) -> object:
    hints = get_type_hints(kind)
    known = {entry.name: entry for entry in fields(kind)}
    for key in content:
        if key not in known:
            raise _error(source, text, section, key, f"unknown key; known are {', '.join(known)}")
    values: dict[str, object] = {}
    for key, entry in known.items():
        variable = f"SMAILOR_{section}_{key}".upper()
        if variable in environ:
            try:
                values[key] = _from_text(hints[key], environ[variable])
            except ValueError as error:
                raise ConfigError(f"{variable}: {error}") from error
        elif key in content:
            try:
                values[key] = _from_toml(hints[key], content[key])
            except ValueError as error:
                raise _error(source, text, section, key, str(error)) from error
        elif entry.default is MISSING and entry.default_factory is MISSING:
            raise _error(source, text, section, key, "is missing and has no default")
    return kind(**values)


def _from_toml(hint: Any, value: object) -> object:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if get_origin(hint) is tuple:
        if isinstance(value, list) and all(isinstance(item, get_args(hint)[0]) for item in value):
            return tuple(value)
        raise ValueError(f"expected a list of {get_args(hint)[0].__name__}, got {type(value).__name__}")
    if isinstance(hint, UnionType):
        hint = next(option for option in get_args(hint) if option is not NoneType)
    if type(value) is not hint:
        raise ValueError(f"expected {hint.__name__}, got {type(value).__name__}")
    return value


def _from_text(hint: Any, value: str) -> object:
    if get_origin(hint) is tuple:
        return tuple(item.strip() for item in value.split(",") if item.strip())
    if hint is bool:
        if value.lower() not in {"true", "false"}:
            raise ValueError(f"expected true or false, got {value!r}")
        return value.lower() == "true"
    if hint in {int, float}:
        return hint(value)
    return value


def _error(source: str, text: str, section: str, key: str, message: str) -> ConfigError:
    """Build the error that names file, line and key (the section's line where the key itself is not there)."""
    line = section_line = 0
    current = ""
    for number, content in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[+\s*([^\]]*?)\s*\]", content):
            current = header[1]
            if current == section or (not section and current == key):
                section_line = number
        elif current == section and re.match(rf"\s*\"?{re.escape(key)}\"?\s*=", content):
            line = number
            break
    at = line or section_line
    where = f"{source}:{at}" if at else source
    name = f"{section}.{key}" if section else key
    return ConfigError(f"{where}: {name}: {message}")
