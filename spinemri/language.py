"""The words that people read, by language: one file each in ``phrases/``, which hold every sentence of the program.

A module asks for the phrases of its section and puts numbers and levels in; in which language they come is said once,
around the work (``speaking``). Each language has the same keys with the same placeholders; a key that is missing is an
error and never falls back to another language. Words for machines (codes, column names, units) stand in no such file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, wraps
from importlib import resources
from numbers import Real
from string import Formatter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

from spinemri.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


class Told(Protocol):
    """What text in a language is about, such as an analysis or a case."""

    @property
    def language(self) -> str:
        """Code of the language."""


T = TypeVar("T", bound=Told)
P = ParamSpec("P")
R = TypeVar("R")

ENGLISH = "en"
_FOLDER = resources.files("spinemri").joinpath("phrases")
_SPOKEN: ContextVar[str] = ContextVar("language", default=ENGLISH)


def languages() -> tuple[str, ...]:
    """Codes of the languages there are (ISO 639), English first."""
    codes = (entry.name.removesuffix(".toml") for entry in _FOLDER.iterdir() if entry.name.endswith(".toml"))
    return tuple(sorted(codes, key=lambda code: (code != ENGLISH, code)))


def checked(language: str) -> str:
    """The language's code.

    Raises
    ------
    InputError
        There is no such language.
    """
    if language not in languages():
        raise InputError(f"language {language!r}: expected one of {', '.join(languages())}")
    return language


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Phrases come in this language while the context lasts; in this thread alone.

    Raises
    ------
    InputError
        There is no such language.
    """
    before = _SPOKEN.set(checked(language))
    try:
        yield
    finally:
        _SPOKEN.reset(before)


def in_its_language(call: Callable[Concatenate[T, P], R]) -> Callable[Concatenate[T, P], R]:
    """The function, whose first argument says by its ``language`` in which one the text about it is."""

    @wraps(call)
    def told(about: T, *args: P.args, **kwargs: P.kwargs) -> R:
        with speaking(about.language):
            return call(about, *args, **kwargs)

    return cast("Callable[Concatenate[T, P], R]", told)


def spoken() -> str:
    """Code of the language that phrases come in now."""
    return _SPOKEN.get()


def number(value: float, form: str) -> str:
    """A number as the language writes it, such as '4.5' or '4,5'; ``form`` as in ``format``."""
    return format(value, form).replace(".", Phrases("language").DECIMAL_SIGN)


def listed(items: Collection[str]) -> str:
    """'A', 'A and B', 'A, B and C'."""
    *most, last = items or ("",)
    return Phrases("language").AND.format(most=", ".join(most), last=last) if most else last


def of_count(count: int, one: str, several: str) -> str:
    """The phrase for one thing, or that for several or none."""
    return one if count == 1 else several


class _Numbers(Formatter):
    """``format`` with the decimal sign of the language."""

    def format_field(self, value: Any, format_spec: str) -> str:
        text: str = super().format_field(value, format_spec)
        written = isinstance(value, Real) and not isinstance(value, int)
        return text.replace(".", Phrases("language").DECIMAL_SIGN) if written else text


class Phrase(str):
    """A text in one language whose ``format`` writes numbers as that language does."""

    __slots__ = ()

    def format(self, *args: object, **values: object) -> str:
        """The text with values in the place of its placeholders."""
        return _Numbers().vformat(self, args, values)


class Phrases(Mapping[str, Mapping[str, str]]):
    """One section of the language's file: ``words.TITLE`` is a phrase, ``words["GRADES"]`` a table of phrases."""

    def __init__(self, section: str) -> None:
        self._section = section

    def __getattr__(self, name: str) -> str:
        found = _section(spoken(), self._section)[0].get(name)
        if found is None:
            raise AttributeError(f"no phrase {name} in section {self._section} of language {spoken()}")
        return found

    def __getitem__(self, name: str) -> Mapping[str, str]:
        return _section(spoken(), self._section)[1][name]

    def __iter__(self) -> Iterator[str]:
        return iter(_section(spoken(), self._section)[1])

    def __len__(self) -> int:
        return len(_section(spoken(), self._section)[1])


@cache
def catalogue(language: str) -> dict[str, Any]:
    """Everything that a language's file says: section -> name -> phrase, or table of phrases by key."""
    return tomllib.loads(_FOLDER.joinpath(f"{language}.toml").read_text(encoding="utf-8"))


@cache
def _section(language: str, name: str) -> tuple[dict[str, str], dict[str, Mapping[str, str]]]:
    """Phrases and tables of one section; tables in the order of the English file, in which things are told."""
    said, english = catalogue(language)[name], catalogue(ENGLISH)[name]
    tables = {key: table for key, table in english.items() if isinstance(table, dict)}
    return (
        {key: Phrase(said[key]) for key in english if key not in tables},
        {key: MappingProxyType({k: Phrase(said[key][k]) for k in table}) for key, table in tables.items()},
    )
