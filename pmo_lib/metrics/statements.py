"""What a narrative claims: each statement that names a cell of the return and says what stands in it.

The grammar is small on purpose. A statement is held to be one only if words name the cell (``whole life cost``, ``end
date``, ``delivery confidence`` …), nothing but words of little weight stands between them and the value, and the cell
is what the clause speaks of: neither ``an increase in the whole life cost of £5m`` nor ``the contract end date`` claims
anything of the project. What is not understood is no statement.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pmo_lib.metrics.phrases import (
    AROUND,
    DATE,
    MONEY,
    NUMBER,
    OTHER,
    RATING,
    SHARE,
    STAMP,
    UNIT,
    VALUES,
    Piece,
    pieces,
    quarter,
    sentences,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

UNCHANGED = "unchanged"
COST, BENEFITS, VARIANCE, YEAR, FINISH, CONFIDENCE, DONE = (
    "whole-life cost", "benefits", "in-year variance", "in-year", "finish", "rating", "work done",
)  # fmt: skip
FORECAST, BASELINE, ACTUAL = "forecast", "baseline", "actual"
NOW, BEFORE = "now", "before"
MOST, LEAST = "most", "least"
AHEAD, BACK = 30, 14  # pieces that are looked at on either side of the words that name a cell
LONGEST = 100_000
# A sentence without any of these names no cell: a quick look spares the reading.
NAMES_ANY = re.compile(
    "life|wlc|benefits|variance|date|finish|confidence|dca|rag |status|work|physical|track|course|schedule|target|due"
    "|expect|in-year|budget|baseline|forecast|outlook",
    re.IGNORECASE,
)
MILLION = 1e6
ROUGHLY = 0.05

ANCHORS = {
    "cost": (COST, MONEY), "benefits": (BENEFITS, MONEY), "variance": (VARIANCE, SHARE), "end": (FINISH, DATE),
    "confidence": (CONFIDENCE, RATING), "due": (FINISH, DATE), "track": (FINISH, DATE), "yearly": (YEAR, MONEY),
    "amount": ("", MONEY), "done": (DONE, SHARE), "ended": (FINISH, DATE),
}  # fmt: skip
FILL = frozenset((
    "the", "a", "an", "our", "your", "its", "this", "it", "at", "of", "on", "in", "as", "is", "are", "be", "been",
    "being", "has", "have", "which", "for", "still", "now", "currently", "that", "by", "until", "with", "year",
    "year's", "last", "rated", "assessed", "reported", "project", "programme", "program", "portfolio", "scheme",
    "was", "were", "had", "to", "date", "total", "again", "scheduled", "planned", "due", "financial",
))  # fmt: skip
PAST = frozenset(("was", "were", "had"))
MOVES = frozenset((
    "increased", "decreased", "increase", "decrease", "reduced", "moved", "changed", "improved", "extended",
    "slipped", "risen", "rose", "fell", "fallen", "grown", "deteriorated",
))  # fmt: skip
DETERMINERS = frozenset((
    "the", "our", "your", "this", "its", "their", "a", "an",
))  # fmt: skip
PROJECT_WORDS = frozenset((
    "project", "programme", "program", "portfolio", "scheme",
))  # fmt: skip
BASES = dict.fromkeys(("forecast", "forecasted", "expected", "estimated", "predicted"), FORECAST) | dict.fromkeys(
    ("baseline", "budgeted", "approved", "agreed"), BASELINE
)
QUALIFIERS = PROJECT_WORDS | frozenset(BASES) | frozenset((
    "departmental", "departmentally", "scheduled", "schedule", "planned", "current", "overall", "total", "latest",
    "in-year", "monetised", "sro", "ipa", "nista", "quarterly", "projects", "programmes",
))  # fmt: skip
JOINING = frozenset((
    "and", "but", "while", "whilst", "although", "though", "that", "as", "because", "since", "however", "so", "where",
    "when", "therefore",
))  # fmt: skip
RATERS = frozenset(("ipa", "sro", "nista"))


@dataclass(frozen=True)
class Statement:
    """One claim.

    ``start`` and ``end`` mark it in its ``sentence``. What is claimed lies between ``low`` and ``high`` (money in units
    of the currency, shares 0–1, dates as ordinals, ratings by their place); with ``bound`` it is at most or at least
    that. ``step`` is the value of the last digit. It speaks of this report (``now``) or the last (``before``), that of
    the days of ``stamp`` if words name any; ``since`` are those that it is compared with. ``basis`` is the word that
    tells forecast, baseline or actual apart, ``rater`` who rates.
    """

    sentence: str
    start: int
    end: int
    kind: str
    subject: str
    said: str = ""
    low: float = 0.0
    high: float = 0.0
    step: float = 0.0
    bound: str = ""
    about: str = NOW
    stamp: tuple[date, date] | None = None
    since: tuple[date, date] | None = None
    basis: str = ""
    rater: str = ""


@dataclass
class _Clause:
    """What is known of a clause while it is read on from the words that name a cell."""

    sentence: str
    anchor: Piece
    kind: str
    start_month: int
    base: Statement
    slot: str = NOW
    unit: float = 0.0
    near: bool = False
    bound: str = ""
    past: bool = False
    moved: bool = False
    verb: bool = False
    over: bool = False
    timed: bool = False
    stamp: Piece | None = None
    against: Piece | None = None
    found: list[Statement] = field(default_factory=list)


def statements(text: str, *, subject: str = "", start_month: int = 4) -> list[Statement]:
    """Return what a text claims, in its order.

    Parameters
    ----------
    text
        Any text; what stands beyond :data:`LONGEST` characters is not read.
    subject
        What the text is about, as the return names it; ``variance`` alone means that of the year only in a text on it.
    start_month
        First month of the fiscal year.

    Returns
    -------
    list of Statement
        The same claim twice in a text stands once. Empty where no words name a cell.
    """
    found: dict[tuple[object, ...], Statement] = {}
    for sentence in filter(NAMES_ANY.search, sentences(text[:LONGEST])):
        for one in _of_sentence(sentence, topic=subject, start_month=start_month):
            found.setdefault(
                (one.kind, one.subject, one.low, one.high, one.about, one.stamp, one.basis, one.bound), one
            )
    return list(found.values())


def _of_sentence(sentence: str, *, topic: str, start_month: int) -> Iterator[Statement]:
    parts = pieces(sentence)
    for place, piece in enumerate(parts):
        named = ANCHORS.get(piece.kind)
        if named is None:
            continue
        kind, base = named[1], Statement(sentence, piece.start, piece.end, named[1], named[0])
        base = _told_by_words(base, anchor=piece, topic=topic, start_month=start_month)
        clause = _Clause(sentence, piece, kind, start_month, base)
        ahead = parts[max(place - BACK, 0) : place]
        clause.against = next((each for each in reversed(ahead) if each.kind == "against"), None)
        if base.subject == DONE:
            yield from _share_before(clause, before=ahead[-1:])
        elif base.subject and _names_it(clause, before=ahead):
            _read_on(clause, after=parts[place + 1 : place + 1 + AHEAD])
            yield from clause.found


def _told_by_words(base: Statement, *, anchor: Piece, topic: str, start_month: int) -> Statement:
    """Return a statement with what the naming words themselves say of basis and subject."""
    words = anchor.text.lower()
    if anchor.kind == "amount":
        yearly = "in-year" in topic
        return replace(base, subject=YEAR if yearly else "" if "benefit" in topic else COST, basis=FORECAST)
    if anchor.kind == "yearly":
        stamp = quarter(words.rpartition(" for ")[2], start_month=start_month)
        return replace(base, basis=FORECAST if re.search("forecast|outlook", words) else BASELINE, stamp=stamp)
    if anchor.kind == "ended":
        return replace(base, basis=ACTUAL)
    if anchor.kind == "variance" and words == "variance" and "in-year" not in topic:
        return replace(base, subject="")
    return base


def _share_before(clause: _Clause, *, before: list[Piece]) -> Iterator[Statement]:
    """Yield ``45% of the work is done``: the value stands before the words."""
    for piece in before:
        if piece.kind == SHARE:
            yield _statement(replace(clause.base, start=piece.start), value=piece, clause=clause, end=clause.anchor.end)


def _names_it(clause: _Clause, *, before: list[Piece]) -> bool:
    """Say whether the clause speaks of the project's own cell, and note basis, rater and time from the words before."""
    if clause.anchor.kind in ("due", "track", "ended"):
        return _of_the_project(before)
    for piece in reversed(before):
        word = _plain(piece)
        if piece.kind in ("IPA", "SRO") or word in RATERS:
            rater = word if word in RATERS else piece.kind
            clause.base = replace(clause.base, rater=clause.base.rater or rater.upper())
        elif piece.kind == STAMP:
            clause.stamp = clause.stamp or piece
            return True
        elif piece.kind == "same" and piece.text.lower().startswith("no change"):
            clause.base = replace(clause.base, start=piece.start)
            clause.found.append(replace(clause.base, kind=UNCHANGED, said=piece.text, end=clause.anchor.end))
            return True
        elif word in QUALIFIERS or word in DETERMINERS:
            clause.base = replace(clause.base, basis=clause.base.basis or BASES.get(word, ""))
        elif piece.kind != UNIT:
            return _may_stand_before(piece)
        clause.base = replace(clause.base, start=piece.start)
    return True


def _plain(piece: Piece) -> str:
    """Return a word in small letters, without the mark of a possessor or of several SROs."""
    word = piece.text.lower().removesuffix("'s").removesuffix("'")
    return word.removesuffix("s") if word.removesuffix("s") in RATERS else word


def _may_stand_before(piece: Piece) -> bool:
    """Say whether a clause begins after this piece, so that the words that name a cell are what it is about."""
    return piece.kind == "against" or piece.text in (",", ":", ".", "-", "–", ")") or piece.text.lower() in JOINING


def _of_the_project(before: list[Piece]) -> bool:
    """Say whether ``on track`` and its like are said of the whole project: at the beginning, or after its name."""
    light = FILL - PROJECT_WORDS | JOINING
    for place in range(len(before) - 1, -1, -1):
        piece, word = before[place], _plain(before[place])
        if piece.kind == "word" and word in PROJECT_WORDS:
            ahead = [each for each in before[:place] if each.text.lower() not in DETERMINERS]
            return not ahead or _may_stand_before(ahead[-1])
        if piece.kind not in ("stay", "track") and not (piece.kind == "word" and word in light):
            return False
    return True


def _read_on(clause: _Clause, *, after: list[Piece]) -> None:
    """Read on from the words that name a cell to the values that are claimed, as far as every word is understood."""
    if clause.anchor.kind == "track":
        _on_track(clause, after=after)
        return
    for place, piece in enumerate(after):
        rest = after[place + 1 :]
        if piece.kind in VALUES:
            _value(clause, piece=piece, rest=rest)
        elif piece.kind in ("same", "stay", "track"):
            _stays(clause, piece=piece)
        elif piece.kind == "word":
            _word(clause, word=_plain(piece))
        elif piece.kind in (MOST, LEAST):
            clause.bound, clause.over = piece.kind, clause.kind != SHARE
        elif piece.kind in (UNIT, AROUND):
            clause.unit, clause.near = (MILLION, clause.near) if piece.kind == UNIT else (clause.unit, True)
        elif piece.kind not in ("against", "due") and piece.text not in (",", ":", "."):
            clause.over = True
        if clause.over:
            break
    else:
        piece = after[-1] if after else clause.anchor
    _stamp_as_value(clause)


def _word(clause: _Clause, *, word: str) -> None:
    """Take in one word; one that is not understood ends the clause."""
    if word == "from":
        clause.slot = BEFORE
    elif word == "to":
        clause.over = clause.kind == DATE and not (clause.moved or clause.slot == BEFORE or clause.anchor.kind == "due")
        clause.slot = NOW
    elif word in MOVES:
        clause.moved = True
    elif word in BASES:
        clause.base = replace(clause.base, basis=clause.base.basis or BASES[word])
    elif (word == "by" and clause.moved) or word not in FILL:
        clause.over = True
    clause.past |= word in PAST
    clause.verb |= word in ("is", "now", "are") or word in MOVES


def _stays(clause: _Clause, *, piece: Piece) -> None:
    """Note that a cell is said to be as it was; what follows is its value."""
    clause.verb = True
    told = replace(clause.base, kind=UNCHANGED, said=piece.text, end=piece.end, about=NOW)
    if clause.kind == SHARE or any(one.kind == UNCHANGED for one in clause.found):
        return
    if piece.kind == "stay":
        clause.bound = "stay"
        return
    clause.found.append(_at(clause, told=told))
    clause.bound, clause.over = "", True


def _value(clause: _Clause, *, piece: Piece, rest: list[Piece]) -> None:
    """Take in a value: a time if it is a quarter, else what is claimed if it is of the kind that the cell holds."""
    if piece.kind == STAMP:
        clause.over = clause.slot == BEFORE
        clause.stamp = piece if clause.stamp is None or not clause.found else clause.stamp
        clause.timed = not clause.verb
        return
    clause.unit = MILLION if rest and rest[0].kind == UNIT else clause.unit
    value = _as_kind(piece, clause=clause)
    if value is None or _is_no_value(clause, rest=rest):
        clause.over = True
        return
    if clause.past and clause.stamp is None and clause.base.stamp is None and clause.slot == NOW and not clause.moved:
        clause.over = True
        return
    told = _statement(clause.base, value=value, clause=clause, end=piece.end)
    clause.found.append(told)
    if clause.bound == "stay":
        clause.found.append(replace(told, kind=UNCHANGED, bound="", about=NOW))
        clause.found[-2] = replace(told, bound="")
    clause.near, clause.bound = False, ""
    clause.over = clause.slot == NOW and not _goes_on(rest)


def _as_kind(piece: Piece, *, clause: _Clause) -> Piece | None:
    """Return a value as one of the kind that is asked for: a plain number has the unit that was named before."""
    if piece.kind == clause.kind:
        return piece
    if piece.kind == NUMBER and clause.kind == MONEY and clause.unit:
        scale = clause.unit
        return piece._replace(low=piece.low * scale, high=piece.high * scale, step=piece.step * scale)
    return None


def _is_no_value(clause: _Clause, *, rest: list[Piece]) -> bool:
    """Say whether what follows makes a value a difference (``£5m above``), a part, the end of a range, or past."""
    following = [piece for piece in rest[:4] if piece.kind != UNIT]
    if not following:
        return False
    first, second = following[0], following[1] if len(following) > 1 else following[0]
    if first.kind in ("gap", MOST, LEAST) or first.text.lower() in PAST or first.text.lower().endswith("ed"):
        return True
    if any(piece.text.lower().startswith("exclud") for piece in (first, second)):  # the cell holds the whole
        return True
    word = first.text.lower()
    if word in ("in", "as", "at") and any(piece.kind in (STAMP, DATE, NUMBER) for piece in following):
        return True
    return word in ("-", "–", "to", "and", "or", "/") and clause.slot == NOW and second.kind in VALUES


def _goes_on(rest: list[Piece]) -> bool:
    """Say whether a clause goes on to claim that what it named is as it was."""
    words = [piece for piece in rest[:4] if piece.kind not in (UNIT, "mark") and piece.text.lower() != "which"]
    return bool(words) and words[0].kind == "same"


def _on_track(clause: _Clause, *, after: list[Piece]) -> None:
    """Hold ``the project remains on track.`` to be a claim that its finish has not moved later."""
    if not after or after[0].text in (".", ";"):
        clause.found.append(replace(clause.base, kind=UNCHANGED, said=clause.anchor.text, bound=MOST))


def _stamp_as_value(clause: _Clause) -> None:
    """Take a quarter or fiscal year for the value where a finish is said to be in it."""
    if clause.kind == DATE and not clause.found and clause.stamp is not None and not clause.timed and clause.verb:
        days = quarter(clause.stamp.text, start_month=clause.start_month)
        if days is not None and clause.stamp.start > clause.anchor.end:
            low, high = (float(day.toordinal()) for day in days)
            value, clause.stamp = clause.stamp._replace(low=low, high=high), None
            clause.found.append(_statement(clause.base, value=value, clause=clause, end=value.end))


def _statement(base: Statement, *, value: Piece, clause: _Clause, end: int) -> Statement:
    """Return what a value claims; one that is not exact is taken for 5 % to either side."""
    low, high, step = value.low, value.high, value.step
    if clause.near and clause.kind in (MONEY, SHARE):
        middle = (low + high) / 2
        low, high = min(low, middle - ROUGHLY * abs(middle)), max(high, middle + ROUGHLY * abs(middle))
    bound = clause.bound if clause.bound in (MOST, LEAST) else ""
    if (
        clause.anchor.kind == "due"
        and value.kind != OTHER
        and " by" in clause.sentence[clause.anchor.end : value.start]
    ):
        bound = MOST
    words = clause.sentence[value.start : value.end]
    return _at(
        clause, told=replace(base, said=words, low=low, high=high, step=step, bound=bound, end=end, about=clause.slot)
    )


def _at(clause: _Clause, *, told: Statement) -> Statement:
    """Return a statement with the days that it speaks of and is compared with, where the words name any."""
    since = quarter(clause.against.text, start_month=clause.start_month) if clause.against else None
    if told.about == BEFORE:
        return replace(told, stamp=since)
    stamp = quarter(clause.stamp.text, start_month=clause.start_month) if clause.stamp else told.stamp
    return replace(told, stamp=stamp, since=since)
