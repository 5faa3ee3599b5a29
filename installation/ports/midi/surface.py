"""What controllers do to the desk and what they show of it, without threads or devices.

`hear` takes messages as they come, on any thread; `work`, on one, does what they ask and gives what is to be sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock

from installation.control.desk import Desk
from installation.control.parameter import Parameter, Value
from installation.control.parameters import MIDI_STATUS
from installation.ports.midi.clock import Conductor
from installation.ports.midi.inbox import Inbox, Move, Strike, span
from installation.ports.midi.learning import Learning
from installation.ports.midi.links import MOST, Control, Link, plays
from installation.ports.midi.messages import control_change, decode, note, pitch
from latentworld.errors import ControlError
from latentworld.prompts import LONGEST

REST = 0.3  # seconds after which a control that was moved counts as let go
ECHO = 0.5  # seconds in which a code that comes back is the one that was sent
CATCH = 1.5 / 127  # of the fader's way: as near as a control of 7 bits comes
SHOWN = 1 / 30  # seconds between two looks at what is to be shown
NEVER = -1e9


@dataclass(frozen=True)
class State:
    """What is known of a link's control: where it is (0..1), what it set last, the code it shows, when it moved, when
    it was sent something."""

    place: float | None = None
    mine: Value | None = None
    code: int | None = None
    moved: float = NEVER
    sent: float = NEVER


class Surface:
    """All controllers together. `outputs`: names of the controllers that show something; `dirty`: links were learned
    or forgotten and are not kept in the file yet."""

    def __init__(self, desk: Desk, links: Iterable[Link] = ()) -> None:
        self._desk, self._inbox, self._conductor = desk, Inbox(), Conductor()
        self._lock = Lock()  # of those who change the links; the dictionary itself is replaced, never changed
        self._links: Mapping[Control, Link] = {}
        self._states: dict[Control, State] = {}
        self._learning: Learning | None = None
        self._looked = NEVER
        self.outputs: frozenset[str] = frozenset()
        self.dirty = False
        self._map({link.control: link for link in links})

    @property
    def links(self) -> tuple[Link, ...]:
        """What is mapped."""
        return tuple(self._links.values())

    @property
    def dropped(self) -> int:
        """Presses that came faster than they could be acted on."""
        return self._inbox.dropped

    def learn(self, what: str | None) -> None:
        """Map the next control that moves to "NAME" or, a button, to "NAME|ARGUMENT"; nothing: stop waiting.

        Raises ControlError when no control can play it.
        """
        if not what:
            self._learning = None
            self._inbox.record(False)
            self.say("")
            return
        name, _, argument = what.partition("|")
        row = self._desk.table.get(name)
        if row is None:
            raise ControlError(f"there is no parameter {name!r:.60}: see the address table")
        kind = plays(row, argument)
        self._learning = Learning(name, argument, kind)
        self._inbox.record(True)
        self.say(f"{name}: {'move a fader or knob, an endless one slowly up' if kind == 'fader' else 'press a button'}")

    def forget(self, name: str) -> None:
        """Unmap a parameter."""
        with self._lock:
            remaining = {control: link for control, link in self._links.items() if link.name != name}
            gone = len(self._links) - len(remaining)
            self._map(remaining)
            self.dirty |= gone > 0
        self.say(f"{name}: {gone} control{'' if gone == 1 else 's'} forgotten")

    def refresh(self, port: str) -> None:
        """A controller is there (again): it shows nothing yet, and where its faders are is not known."""
        for control, state in list(self._states.items()):
            if control.port == port:
                self._states[control] = replace(state, code=None, place=None, mine=None)

    def say(self, line: str) -> None:
        """Tell the desk what happened."""
        self._desk.tell(MIDI_STATUS.name, "".join(c if c.isprintable() else " " for c in line)[:LONGEST])

    def hear(self, port: str, data: Sequence[int], now: float) -> None:
        """A message's bytes arrived at `now` (s)."""
        event = decode(data)
        if event is None:
            return
        if event.channel:
            self._inbox.hear(port, event, now)
            return
        moment = self._conductor.hear(port, event, now)
        if moment is not None:
            self._desk.lock(moment.beat, moment.at, moment.tempo)

    def work(self, now: float) -> list[tuple[str, bytes]]:
        """Do what was asked since the last time; gives what each controller is to be sent."""
        strikes, moves = self._inbox.take(now)
        learned = self._learn(strikes, now)
        for strike in strikes:
            self._play(strike, learned)
        for move in moves:
            self._play(move, learned)
        return self._show(now)

    # ---- learning

    def _learn(self, strikes: Sequence[Strike], now: float) -> Control | None:
        """The control that was just learned: what it was moved for is done."""
        learning = self._learning
        link = learning.watch(strikes, self._inbox.trails(), now) if learning is not None else None
        if link is None:
            return None
        self._learning = None
        self._inbox.record(False)
        with self._lock:
            if link.control not in self._links and len(self._links) >= MOST:
                self.say(f"{MOST} controls are mapped already: forget some")
                return None
            self._map({**self._links, link.control: link})
            self.dirty = True
        self.say(f"{link.control} plays {link.name}{'|' if link.argument else ''}{link.argument}")
        return link.control

    def _map(self, links: Mapping[Control, Link]) -> None:
        """Other links from now on."""
        buttons = [control for control, link in links.items() if plays(self._row(link), link.argument) == "button"]
        self._inbox.expect(links.values(), buttons)
        self._links = links
        self._states = {control: self._states.get(control, State()) for control in links}

    def _row(self, link: Link) -> Parameter:
        return self._desk.table[link.name]

    # ---- what is played

    def _play(self, gesture: Strike | Move, learned: Control | None) -> None:
        link = self._links.get(gesture.control)
        if link is None or gesture.control == learned:
            return
        try:
            self._press(link, gesture) if isinstance(gesture, Strike) else self._turn(link, gesture)
        except ControlError as error:
            self.say(str(error))

    def _press(self, link: Link, strike: Strike) -> None:
        row, source = self._row(link), _source(link)
        self._know(link, code=None)  # many controllers switch their lamp by themselves
        if row.numeric and not link.argument:
            if strike.velocity:
                self._desk.fade(link.name, strike.velocity / 127, source)
        elif row.kind == "bool" and link.mode == "hold":
            self._desk.set(link.name, strike.velocity > 0, source)
        elif not strike.velocity:
            return
        elif row.kind == "trigger":
            self._desk.press(link.name, link.argument or None, source)
        else:
            self._desk.set(link.name, self._switched(row, link), source)

    def _switched(self, row: Parameter, link: Link) -> object:
        """What a button sets: its argument, the other of true and false, or the choice after this one."""
        if link.argument:
            return link.argument
        now = self._desk.shown(row.name)
        if row.kind == "bool":
            return not now
        return row.choices[(row.choices.index(str(now)) + 1) % len(row.choices) if now in row.choices else 0]

    def _turn(self, link: Link, move: Move) -> None:
        row, state = self._row(link), self._states.get(link.control, State())
        if not row.numeric or link.argument:
            return
        if link.turns != "absolute":
            self._step(row, link, move)
            return
        if move.code == state.code and move.at - state.sent < ECHO:
            self._know(link, place=move.x)
            return
        if link.pickup and not self._caught(row, state, move.x):
            self._know(link, place=move.x, code=move.code, moved=move.at)
            self.say(f"{link.name}: turn {link.control} {'up' if move.x < self._place(row, 1.0) else 'down'} to it")
            return
        value = self._desk.fade(link.name, move.x, _source(link))
        self._know(link, place=move.x, mine=value, code=move.code, moved=move.at)

    def _step(self, row: Parameter, link: Link, move: Move) -> None:
        """An endless encoder goes on from the value that is set, a unit or a fader's 127th a step."""
        state, shown = self._states.get(link.control, State()), self._desk.shown(link.name)
        if row.kind == "int":
            start = shown if isinstance(shown, int) else row.real(0.5)
            kept = self._desk.set(link.name, min(max(start + move.steps, row.low), row.high), _source(link))
            self._know(link, mine=kept, moved=move.at)
            return
        start = state.place if shown == state.mine and state.place is not None else self._place(row, 0.5)
        place = min(max(start + move.steps / 127, 0.0), 1.0)
        kept = self._desk.fade(link.name, place, _source(link))
        self._know(link, place=place, mine=kept, moved=move.at)

    def _caught(self, row: Parameter, state: State, x: float) -> bool:
        """Soft takeover: whether a control has the value, or passes it now."""
        shown = self._desk.shown(row.name)
        if shown is None or shown == state.mine:
            return True
        goal = self._place(row, x)
        return abs(x - goal) <= CATCH or (state.place is not None and (state.place - goal) * (x - goal) <= 0)

    def _place(self, row: Parameter, unknown: float) -> float:
        """Where a fader would have to be."""
        shown = self._desk.shown(row.name)
        return row.normal(shown) if isinstance(shown, (int, float)) else unknown

    def _know(self, link: Link, **news: float | int | Value | None) -> None:
        self._states[link.control] = replace(self._states.get(link.control, State()), **news)  # type: ignore[arg-type]

    # ---- what is shown

    def _show(self, now: float) -> list[tuple[str, bytes]]:
        """What faders and lamps are sent: what changed, thirty times a second at most, and nothing while a hand is on
        the control."""
        if now - self._looked < SHOWN:
            return []
        self._looked = now
        found = []
        for link in self.links:
            state = self._states.get(link.control, State())
            if link.control.port not in self.outputs or now - state.moved < REST:
                continue
            code = self._code(link)
            if code is not None and code != state.code:
                found += [(link.control.port, data) for data in _messages(link.control, code)]
                self._know(link, code=code, sent=now)
        return found

    def _code(self, link: Link) -> int | None:
        """What a control should show; None for nothing."""
        row, top = self._row(link), span(link.control) if link.full == 127 else link.full
        if row.kind == "trigger" or link.control.kind == "program":
            return None
        shown = self._desk.shown(link.name)
        if row.numeric and not link.argument:
            return round(row.normal(shown) * top) if isinstance(shown, (int, float)) else None
        if row.kind == "bool" and not link.argument:
            return top if shown else 0
        if link.argument:
            return top if shown == row.check(link.argument) else 0
        return None


def _source(link: Link) -> str:
    return f"midi:{link.control.port}"


def _messages(control: Control, code: int) -> list[bytes]:
    if control.kind == "cc14":
        halves = ((control.number, code >> 7), (control.number + 32, code & 0x7F))
        return [control_change(control.channel, number, part) for number, part in halves]
    if control.kind == "nrpn":
        parts = ((99, control.number >> 7), (98, control.number & 0x7F), (6, code >> 7), (38, code & 0x7F))
        return [control_change(control.channel, number, part) for number, part in parts]
    if control.kind == "pitch":
        return [pitch(control.channel, code)]
    send = note if control.kind == "note" else control_change
    return [send(control.channel, control.number, code)]
