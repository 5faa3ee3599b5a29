"""What a deck may say: one JSON object a message, checked against this schema before anything is done."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, TypeAdapter, ValidationError

from installation.backstage import Question
from installation.ipc.questions import DiffusionQuestion, FindQuestion, WordsQuestion
from latentworld.errors import ControlError
from latentworld.prompts import LONGEST

LARGEST = 16 * 1024  # bytes of a message
Name = Annotated[str, Field(max_length=64)]
Text = Annotated[str, Field(max_length=LONGEST)]
Real = bool | int | FiniteFloat | Text
Id = Annotated[int, Field(ge=0, le=2**31)]


class _Command(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Set(_Command):
    """Set a parameter in real units."""

    do: Literal["set"]
    name: Name
    value: Real | tuple[FiniteFloat, FiniteFloat]


class Fade(_Command):
    """Set a float or int by a fader's place 0..1."""

    do: Literal["fade"]
    name: Name
    x: FiniteFloat


class Release(_Command):
    """Give a parameter back to the preset."""

    do: Literal["release"]
    name: Name


class Press(_Command):
    """Press a trigger, with its argument: a text, or a name and seconds."""

    do: Literal["press"]
    name: Name
    value: Real | tuple[Text, FiniteFloat] | None = None


class Ask(_Command):
    """A question to the renderer; it is answered under the same id."""

    do: Literal["ask"]
    id: Id
    what: Literal["words", "diffusion", "find"]
    texts: Annotated[list[Text], Field(max_length=32)] | None = None
    numbers: Annotated[int, Field(ge=1, le=1024)] | None = None
    steps: Annotated[int, Field(ge=1, le=100)] | None = None
    size: Annotated[int, Field(ge=16, le=512)] | None = None

    @property
    def question(self) -> Question:
        """What is asked; what was left open is the question's own."""
        if self.what == "words":
            numbers = {} if self.numbers is None else {"numbers": self.numbers}
            return WordsQuestion(tuple(self.texts or ()), **numbers)
        if self.what == "find":
            return FindQuestion(" ".join(self.texts or ()), scores=True)
        return DiffusionQuestion(self.steps, **({} if self.size is None else {"size": self.size}))


class Cancel(_Command):
    """Take a question back."""

    do: Literal["cancel"]
    id: Id


class Subscribe(_Command):
    """What a deck wants to hear: ticks, status, and where faders that move by themselves are. All, to begin with."""

    do: Literal["subscribe"]
    ticks: bool = True
    status: bool = True
    moving: bool = True


Command = Set | Fade | Release | Press | Ask | Cancel | Subscribe
_ADAPTER: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="do")])


def parse(text: str) -> Command:
    """A command. Raises ControlError that names what is wrong with it."""
    if len(text) > LARGEST:
        raise ControlError(f"a message of at most {LARGEST} characters is wanted")
    try:
        return _ADAPTER.validate_json(text)
    except (ValidationError, RecursionError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": "nested too deep"}
        where = ".".join(str(part) for part in first["loc"])
        raise ControlError(f"{where or 'message'}: {first['msg']}"[:300]) from None
