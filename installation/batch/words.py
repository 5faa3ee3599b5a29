"""Values of lists and matrices as words of a command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from latentworld.errors import BatchError


def option(name: str, value: object) -> Iterator[str]:
    """`--name=value` as a command takes it: a switch for true and false, the option again for each of a list.

    Raises BatchError for what no command line holds.
    """
    switch = name.replace("_", "-")
    if isinstance(value, bool):
        yield f"--{switch}" if value else f"--no-{switch}"
    elif isinstance(value, list):
        for part in value:
            yield from option(name, part)
    elif isinstance(value, str | int | float):
        yield f"--{switch}={value}"
    else:
        raise BatchError(
            f"{name} = {value!r:.60} is nothing that a command takes: give a text, a number, true or false"
        )


def overrides(settings: object, where: str) -> Iterator[str]:
    """`--set` for each key of a preset that a list names, dotted or in tables. Raises BatchError."""
    if isinstance(settings, list) and all(isinstance(one, str) for one in settings):
        _once([one.partition("=")[0].strip() for one in settings], where)
        yield from (word for text in settings for word in ("--set", text))
        return
    if not isinstance(settings, dict):
        raise BatchError(f'{where}: set = {settings!r:.60}: write set = {{ "film.seconds" = 4 }}')
    pairs = list(_flat(settings))
    _once([key for key, _ in pairs], where)
    for key, value in pairs:
        yield from ("--set", f"{key}={toml(value)}")


def _once(keys: list[str], where: str) -> None:
    if twice := {key for key in keys if keys.count(key) > 1}:
        raise BatchError(f"{where}: set names {min(twice):.60} twice: leave one out")


def _flat(settings: Mapping[str, object], above: str = "") -> Iterator[tuple[str, object]]:
    """Keys of a preset are a section's: what lies deeper is a value."""
    for key, value in settings.items():
        if isinstance(value, dict) and not above and "." not in key:
            yield from _flat(value, f"{key}.")
        else:
            yield f"{above}{key}", value


def toml(value: object) -> str:
    """A value on one line of TOML."""
    import tomli_w

    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {toml(part)}" for key, part in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return tomli_w.dumps({"value": value}).partition(" = ")[2].rstrip("\n")


def _key(key: str) -> str:
    return toml(key)
