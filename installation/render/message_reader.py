"""What the show says to the renderer: read on a thread of its own, checked, and left where the loop finds it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from installation.control.mailbox import Mailbox
from installation.control.parameter import checked
from installation.control.parameters import loop_table
from installation.ipc.messages import Answer, Ask, Cancel, ControlChanges, Follow, Message, Stop, Unfollow
from installation.ipc.wire import Wire
from installation.render.questions import Questions
from latentworld.errors import LatentWorldError


class MessageReader:
    """Reads a wire until the show closes it or says `stop`; then calls `ended`.

    follow, unfollow: called with a take's file, and without. questions: set once the model is there; before, they are
    refused. Whatever a message holds, the thread lives on.
    """

    def __init__(
        self, wire: Wire, mailbox: Mailbox, fault: Callable[[str], None], ended: Callable[[], None],
        follow: Callable[[str], None], unfollow: Callable[[], None],
    ) -> None:  # fmt: skip
        self._wire, self._mailbox, self._fault, self._ended = wire, mailbox, fault, ended
        self._follow, self._unfollow = follow, unfollow
        self._rows = loop_table()
        self.questions: Questions | None = None
        threading.Thread(target=self._read, name="message_reader", daemon=True).start()

    def _read(self) -> None:
        for message in self._wire.read():
            if isinstance(message, Stop):
                break
            try:
                self._obey(message)
            except LatentWorldError as error:
                self._fault(str(error))
            except Exception as error:
                why = f"a {type(message).__name__} message could not be obeyed: {type(error).__name__}: {error}"
                self._fault(why.splitlines()[0][:300])
        self._ended()

    def _obey(self, message: Message) -> None:
        match message:
            case ControlChanges():
                self.controls(message)
            case Ask(id=number, question=question):
                if self.questions is None:
                    self._wire.send(Answer(number, fault="the world is still loading: ask again"))
                else:
                    self.questions.ask(number, question)
            case Cancel(id=number) if self.questions is not None:
                self.questions.cancel(number)
            case Follow(file=file):
                self._follow(file)
            case Unfollow():
                self._unfollow()

    def controls(self, changes: ControlChanges) -> None:
        """Set values and press triggers; what means nothing is told and left out, the rest is taken."""
        self._mailbox.set(checked(self._rows, changes.values, self._fault), changes.stamp)
        for name, _ in changes.triggers:
            row = self._rows.get(name)
            if row is not None and row.kind == "trigger":
                self._mailbox.press(row.name)
