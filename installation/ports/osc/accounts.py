"""What each sender may cost: answers in proportion to what it sent, a few errors and patterns a second.

UDP's sender can be forged. An answer larger than its question would make the show an amplifier toward whoever is named
as the sender, so answers are paid from what came in. A sender that has shown that it is there is granted more.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

GAIN = 2.0  # bytes out for bytes in
FIRST = 1024.0  # bytes on top, to begin with: a pong, a prompt's text
GRANT, PITTANCE = 1024.0, 1024.0 / 60  # bytes a second on top: to those who are known to be there, and to others
SAVED = 4096.0  # the most that is saved up
ERRORS, PATTERNS = 10.0, 50.0  # a second
ERRORS_AT_ONCE, PATTERNS_AT_ONCE = 5.0, 4.0
MOST = 256  # senders remembered


@dataclass
class Account:
    """What a sender has left."""

    at: float
    bytes: float = FIRST
    errors: float = ERRORS_AT_ONCE
    patterns: float = PATTERNS_AT_ONCE

    def pay(self, size: int) -> bool:
        """Whether an answer of so many bytes may go out; it is paid then."""
        if self.bytes < size:
            return False
        self.bytes -= size
        return True

    def err(self) -> bool:
        """Whether one more error may be told."""
        if self.errors < 1:
            return False
        self.errors -= 1
        return True

    def expand(self) -> bool:
        """Whether one more pattern may be matched."""
        if self.patterns < 1:
            return False
        self.patterns -= 1
        return True


class Accounts:
    """By sender's address; the longest unheard is forgotten."""

    def __init__(self) -> None:
        self._accounts: OrderedDict[str, Account] = OrderedDict()

    def heard(self, host: str, size: int, now: float, known: bool) -> Account:
        """The account of a sender whose packet of so many bytes came at `now`; known: to be where it says it is."""
        account = self._accounts.get(host)
        if account is None:
            account = self._accounts[host] = Account(now)
            if len(self._accounts) > MOST:
                self._accounts.popitem(last=False)
        self._accounts.move_to_end(host)
        passed = max(now - account.at, 0.0)
        account.at = now
        account.bytes = min(account.bytes + (GRANT if known else PITTANCE) * passed + GAIN * size, SAVED)
        account.errors = min(account.errors + ERRORS * passed, ERRORS_AT_ONCE)
        account.patterns = min(account.patterns + PATTERNS * passed, PATTERNS_AT_ONCE)
        return account
