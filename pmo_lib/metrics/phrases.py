"""What a text is made of, as far as a claim needs it: amounts, shares, dates, colours, and the words that name a cell.

A text is cut into sentences, a sentence into :class:`Piece` after :class:`Piece`, by one regular expression whose
repeats are all bounded: the time that it takes grows with the length of the text and not faster, whatever it holds.

A number is read with the precision in which it is written: ``£1.2bn`` stands for 1.15 to 1.25 billion, ``March 2027``
for any day of that month. Dates in figures are read with the day first.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from pmo_lib.contracts.parts import RATINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MONEY, SHARE, DATE, RATING, NUMBER, STAMP = "money", "share", "date", "rating", "number", "stamp"
VALUES = (MONEY, SHARE, DATE, RATING, NUMBER, STAMP)
OTHER, AROUND, UNIT = "other", "around", "unit"
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
SCALES = {"": 1.0, "k": 1e3, "thousand": 1e3, "m": 1e6, "mn": 1e6, "million": 1e6, "bn": 1e9, "billion": 1e9}
QUARTERS = 4
CENTURY = 100
PLAUSIBLE = range(1900, 2200)
SMALLEST_BARE = 10_000  # an amount below this, or with decimals, that names no unit may have lost it


class Piece(NamedTuple):
    """A part of a sentence, from ``start`` to ``end``; a value lies between ``low`` and ``high`` (dates: as ordinals).

    ``step`` is the value of the last digit written, ``about`` whether the words say that it is not exact.
    """

    kind: str
    start: int
    end: int
    text: str
    low: float = 0.0
    high: float = 0.0
    step: float = 0.0


_MONTH = r"(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)(?:uary|ruary|ch|il|ust|tember|ober|ember)?"
_NUM = r"(?:\d{1,3}(?:,\d{3}){1,4}|\d{1,15})(?:\.\d{1,6})?"
_SCALE = r"(?:bn|billion|mn|million|m|k|thousand)\b"
_YEARS = r"(?:20\d\d ?[/-] ?(?:20)?\d\d|\d\d ?/ ?\d\d|\d{4})"
_STAMP = (
    rf"(?:Q[1-4],? ?(?:of )?(?:FY ?)?{_YEARS}|(?:FY ?)?{_YEARS} ?-? ?Q[1-4]"
    r"|(?:FY ?)?(?:20\d\d ?[/-] ?\d\d|\d\d ?/ ?\d\d)|FY ?\d{4})(?![\d/])"
)
_DAY = (
    r"(?:\d{4}-\d\d-\d\d|\d{1,2}[/.-]\d{1,2}[/.-](?:\d{4}|\d\d)"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?[ -]?(?:of )?{_MONTH},?[ -]?(?:\d{{4}}|'?\d\d)"
    rf"|{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?, \d{{4}}|{_MONTH},? (?:of )?(?:\d{{4}}|'\d\d))(?!\d)"
)
_COLOUR = r"(?:amber|green|red)"
# In this order: the first that fits is taken.
_PATTERNS: tuple[tuple[str, str], ...] = (
    ("against", rf"\b(?:compared (?:to|with)|since|than)(?: the)?(?: financial year| FY)? ?{_STAMP}"),
    (UNIT, r"\((?:measured in )?[£$€]m\)"),
    ("dayed", rf"\b{_STAMP} ?\( ?{_DAY} ?\)"),
    (DATE, rf"\b{_DAY}"),
    (STAMP, rf"\b{_STAMP}"),
    (SHARE, rf"[-−+]?\b{_NUM} ?(?:%|per ?cent\b)"),
    (MONEY, rf"(?:[£$€]|\b(?:GBP|USD|EUR)) ?{_NUM}(?: ?{_SCALE})?|\b{_NUM} ?{_SCALE}"),
    (NUMBER, rf"\b{_NUM}(?![\w%])"),
    (RATING, rf"\b{_COLOUR}(?: ?[ /-] ?{_COLOUR})?\b"),
    ("cost", r"\bwhole[ -]?life[ -]?costs?(?: \(WLCs?\))?|\bWLCs?\b"),
    ("benefits", r"\b(?:monetised |approved |agreed? )benefits\b"),
    ("variance", r"\b(?:(?:in-year )?baseline ?/ ?forecast |budget |in-year )?variance\b"),
    ("yearly", (r"\b(?:in-year (?:budget|baseline|plan|forecast|outlook)"
     rf"|(?:budget|baseline|forecast|outlook)(?: spend)? for (?:the )?(?:financial year )?{_STAMP})\b")),
    ("amount", r"\bforecast of (?=[£$€])"),
    ("ended", r"\bfinished on (?=\d)"),
    ("end", r"\b(?:end|finish|completion|closure)[ -]?date\b|\b(?:at|to) finish\b|^finish\b"),
    ("confidence", (r"\bdelivery confidence(?: assessment)?(?: \(DCA\))?(?: ratings?)?\b|\bDCA(?: ratings?)?\b"
     r"|\b(?:delivery )?RAG (?:status|rating)\b|\boverall (?:project |programme )?(?:status|rating)\b")),
    ("done", r"\b(?:of the work (?:is |has been )?(?:done|completed?)|physically complete)\b"),
    ("due", (r"\b(?:on (?:track|course|schedule|target)|(?:is|are|still) (?:due|scheduled|expected|forecast)|expects?)"
     r" (?:to |for )(?:formally )?(?:finish|complet(?:e|ion)|close|conclude|end)\b")),
    ("track", r"\bon (?:track|course|schedule|target)\b"),
    ("same", (r"\b(?:(?:remain(?:s|ed)?|is|are|was|stay(?:s|ed)?) )?unchanged\b|\bha(?:s|ve) not changed\b"
     r"|\bno change (?:to|in)\b")),
    ("stay", r"\b(?:ha(?:s|ve) )?remain(?:s|ed)?(?: the same)?(?: schedul(?:e|ed) to (?:finish|complete))?\b"),
    ("most", r"\b(?:(?:less|lower|inferior|smaller) (?:than )?or equal to|less than|within|below|under|up to)"),
    ("least", r"\b(?:exceeds?|exceeded|more than|greater than|above|over)\b"),
    ("gap", r"\b(?:higher|lower|more|less|short|later|earlier|after|before|days?|weeks?|months?)\b"),
    (AROUND, (r"\b(?:around|about|approximately|approx\.?|circa|ca\.|roughly|some|nearly|almost)(?!\w)"
     r"|\bc\.? ?(?=[£$€\d])|~")),
    ("IPA", r"\bInfrastructure (?:and |& )?Projects? Authority(?:'s)?(?: \(IPA\))?"),
    ("SRO", r"\bSenior Responsible (?:Owner|Officer)(?:'s)?(?: \(SRO\))?"),
    ("word", r"[^\W\d_]{1,40}(?:'[a-z]{1,2})?"),
    ("mark", r"[,.:()–-]"),
    (OTHER, r"\w{1,80}|[^\w\s]"),
)  # fmt: skip
_PIECES = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _PATTERNS), re.IGNORECASE)
_SENTENCES = re.compile(r"[\n\r•]+|_x000D_|(?<=[.!?;])\s+(?=[^a-z\s])|(?<=[a-z\d]\.)(?=[A-Z][a-z])")
_QUARTER = re.compile(r"Q([1-4])", re.IGNORECASE)
_PARTS = re.compile(r"\d+|[a-z]{3}", re.IGNORECASE)


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a text, blanks made one, apostrophes straight."""
    for sentence in _SENTENCES.split(text):
        if sentence and (plain := " ".join(sentence.split()).replace("’", "'").replace("â€™", "'")):
            yield plain


def pieces(sentence: str) -> list[Piece]:
    """Return a sentence piece by piece; a value that is none (31 February) becomes ``other``."""
    found = []
    for match in _PIECES.finditer(sentence):
        kind = str(match.lastgroup)
        piece = Piece(kind, match.start(), match.end(), match.group())
        read = _READ.get(kind)
        found.append(piece if read is None else read(piece) or piece._replace(kind=OTHER))
    return found


def year_of(digits: str) -> int:
    """Return a year of two or four digits in full: ``27`` is 2027, and ``70`` is 2070."""
    return int(digits) + (2000 if len(digits) <= 2 else 0)


def quarter(stamp: str, *, start_month: int) -> tuple[date, date] | None:
    """Return first and last day of a quarter or fiscal year as it is written, or None where it names neither.

    ``22/23-Q4``, ``Q2 1920``, ``2021-Q4`` (the years 20 and 21 follow each other) and ``FY2023/24`` are fiscal; of
    ``Q1 2026`` the words do not say whether it is, so that it spans both quarters.
    """
    number, years = _QUARTER.search(stamp), re.findall(r"\d+", _QUARTER.sub(" ", stamp))
    if len(years) == 1 and len(years[0]) == 4 and int(years[0][2:]) == int(years[0][:2]) + 1:
        years = [years[0][:2], years[0][2:]]
    full = [year_of(digits) for digits in years]
    if not full or full[0] not in PLAUSIBLE or full not in ([full[0]], [full[0], full[0] + 1]):
        return None
    place, length = (3 * int(number.group(1)) - 3, 3) if number else (0, 12)
    begins = [(full[0] - (len(full) == 1 and not number), start_month + place)]
    begins += [(full[0], 1 + place)] if len(full) == 1 and number else []
    days = [_month_days(year, month=month, length=length) for year, month in begins]
    return min(first for first, _ in days), max(last for _, last in days)


def _month_days(year: int, *, month: int, length: int) -> tuple[date, date]:
    first, last = divmod(12 * year + month - 1, 12), divmod(12 * year + month - 2 + length, 12)
    end = (last[0], last[1] + 1)
    return date(first[0], first[1] + 1, 1), date(*end, monthrange(*end)[1])


def _number(text: str) -> tuple[float, float]:
    """Return a number and the value of its last digit."""
    digits = text.replace(",", "")
    return float(digits), 10.0 ** -len(digits.partition(".")[2])


def _valued(piece: Piece, *, value: float, step: float) -> Piece:
    return piece._replace(low=value - step / 2, high=value + step / 2, step=step)


def _read_money(piece: Piece) -> Piece | None:
    found = re.search(_NUM, piece.text)
    if found is None:
        return None
    unit = piece.text[found.end() :].strip().lower()
    (value, step), scale = _number(found.group()), SCALES[unit]
    if not unit and (value < SMALLEST_BARE or "." in found.group()):
        return _valued(piece._replace(kind=NUMBER), value=value, step=step)
    return _valued(piece, value=value * scale, step=step * scale)


def _read_share(piece: Piece) -> Piece | None:
    sign = -1.0 if piece.text[0] in "-−" else 1.0
    found = re.search(_NUM, piece.text)
    value, step = _number(found.group()) if found else (0.0, 0.0)
    return _valued(piece, value=sign * value / CENTURY, step=step / CENTURY)


def _read_number(piece: Piece) -> Piece | None:
    value, step = _number(piece.text)
    return _valued(piece, value=value, step=step)


def _read_rating(piece: Piece) -> Piece | None:
    colours = {colour.lower() for colour in re.findall(_COLOUR, piece.text, re.IGNORECASE)}
    place = next((place for place, rating in enumerate(RATINGS) if set(rating.split("/")) == colours), None)
    return None if place is None else piece._replace(low=float(place), high=float(place))


def _read_date(piece: Piece) -> Piece | None:
    parts = _PARTS.findall(piece.text.replace("of", " "))
    numbers = [part for part in parts if part.isdigit()]
    month = next((MONTHS.index(part.lower()) + 1 for part in parts if part.lower() in MONTHS), None)
    days = _span(numbers, month=month, iso=piece.text[4:5] == "-")
    return None if days is None else piece._replace(low=float(days[0].toordinal()), high=float(days[1].toordinal()))


def _span(numbers: list[str], *, month: int | None, iso: bool) -> tuple[date, date] | None:
    """Return first and last day of what is written: of one day, or of a month."""
    if month is None:
        year, middle, day = numbers if iso else reversed(numbers)
        return _one_day(year, month=int(middle), day=int(day))
    if len(numbers) == 1:
        whole = year_of(numbers[0])
        return _month_days(whole, month=month, length=1) if whole in PLAUSIBLE else None
    return _one_day(numbers[1], month=month, day=int(numbers[0]))


def _one_day(year: str, *, month: int, day: int) -> tuple[date, date] | None:
    try:
        found = date(year_of(year), month, day)
    except ValueError:
        return None
    return found, found


_READ: dict[str, Callable[[Piece], Piece | None]] = {
    MONEY: _read_money,
    SHARE: _read_share,
    NUMBER: _read_number,
    RATING: _read_rating,
    DATE: _read_date,
    "dayed": lambda piece: piece._replace(kind=STAMP, text=piece.text.partition("(")[0]),
}
