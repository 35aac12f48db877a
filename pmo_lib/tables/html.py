"""The table writer: everything that comes from data is escaped, and null always has words."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
from markupsafe import Markup, escape

from pmo_lib.theme import (
    NOT_COMPUTABLE,
    day,
    money,
    money_scale,
    month,
    number,
    rating_look,
    rating_rank,
    share,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Form = Literal["text", "money", "money_signed", "share", "share_signed", "number", "exact", "days",
               "days_signed", "ratio", "day", "month", "rating", "flag", "source", "prose", "amount"]  # fmt: skip
NUMERIC: frozenset[str] = frozenset(
    {
        "money",
        "money_signed",
        "amount",
        "share",
        "share_signed",
        "number",
        "exact",
        "days",
        "days_signed",
        "ratio",
    }
)


@dataclass(frozen=True)
class Show:
    """How one column of a metric table is shown.

    ``reason`` names the column that says why a cell is null; ``unit`` the column with the currency of money. In a
    table that can be sifted, a reader may choose among the values of a ``choice``, if they are few.
    """

    name: str
    label: str
    form: Form = "text"
    reason: str = ""
    unit: str = ""
    note: str = ""
    choice: bool = False


@dataclass(frozen=True)
class HtmlTable:
    """A finished table; JupyterLab and the page show the same bytes."""

    html: str
    rows: int
    columns: tuple[str, ...] = field(default=())

    def _repr_html_(self) -> str:
        return self.html


def html_table(
    rows: pd.DataFrame,
    *,
    columns: Sequence[Show],
    caption: str,
    total: pd.Series | None = None,
    sifted: bool = False,
) -> HtmlTable:
    """Write a metric table as HTML.

    A column without any value, for one and the same reason in every row, is said in a line below the table: a page of
    equal words hides the figures beside them. Amounts in several currencies are written each in its own; over a total
    they are refused.

    Parameters
    ----------
    rows
        The metric table, in the order in which it is to be read.
    columns
        What to show; a name that ``rows`` lacks is a KeyError. The first column heads its row.
    caption
        What the table holds, for everyone and for screen readers; plain text.
    total
        One more row for the foot, already computed by the metric.
    sifted
        Whether the page's script offers to search the rows, to choose among them and to sort them; without a script the
        table is complete all the same. Cells then carry what they are sorted by: ``data-value``.

    Raises
    ------
    ValueError
        If there is a total over amounts in several currencies, or over rows that can be sifted.
    """
    if sifted and total is not None:
        raise ValueError(f"{caption}: a total below rows that can be sifted would not be theirs: show it apart")
    if texts := _each_in_its_own(rows, columns=columns):
        if total is not None:
            raise ValueError(f"{', '.join(texts)}: mixes currencies above a total: convert at a stated rate first")
        rows = rows.assign(**{name: pd.Series(cells, index=rows.index) for name, cells in texts.items()})
        columns = [replace(column, form="amount") if column.name in texts else column for column in columns]
    told = _told_once(rows, columns=columns, total=total)
    columns = [column for column in columns if column not in told]
    writers = [_writer(rows, column=column, total=total) for column in columns]
    head = Markup("").join(
        _heading(column, unit=unit, sifted=sifted) for column, (_, unit) in zip(columns, writers, strict=True)
    )
    cells = _Cells(tuple(columns), tuple(writer for writer, _ in writers), sifted=sifted)
    body = Markup("\n").join(map(cells.row, rows.to_dict("records")))
    foot = Markup("")
    if total is not None:
        foot = Markup("<tfoot>{}</tfoot>").format(cells.row(dict(total)))
    css = Markup(' class="sifted"') if sifted else Markup("")
    html = Markup(
        '<div class="table" role="region" tabindex="0" aria-label="{0}"><table{5}><caption>{0}</caption>\n'
        "<thead><tr>{1}</tr></thead>\n<tbody>\n{2}\n</tbody>{3}</table>{4}</div>"
    ).format(caption, head, body, foot, _told_in_words(told), css)
    return HtmlTable(str(html), len(rows), tuple(column.name for column in columns))


def _told_once(rows: pd.DataFrame, *, columns: Sequence[Show], total: pd.Series | None) -> dict[Show, str]:
    """Return the columns that hold nothing, with the one reason that all their rows (two or more) give."""
    told: dict[Show, str] = {}
    for column in columns[1:] if len(rows) > 1 else ():
        empty = rows[column.name].isna().all() and (total is None or _is_null(total.get(column.name)))
        reasons = set(rows[column.reason]) if empty and column.reason in rows.columns else set()
        if len(reasons) == 1 and not _is_null(reason := reasons.pop()) and reason:
            told[column] = str(reason)
    return told


def _told_in_words(told: dict[Show, str]) -> Markup:
    if not told:
        return Markup("")
    labels: dict[str, list[str]] = {}
    for column, reason in told.items():
        labels.setdefault(reason, []).append(column.label)
    words = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in labels.items())
    return Markup('<p class="caption">In no row: {}.</p>').format(words)


def badge(rating: Any) -> Markup:
    """Return a rating as letter, shape and word on its colour; null is an empty outline with words.

    What stands after a comma, such as ``red, not assured``, is said in words and by hatching.
    """
    if rating is None or pd.isna(rating):
        return Markup('<span class="badge none">not rated</span>')
    colour, _, doubt = str(rating).partition(", ")
    look = rating_look(colour)
    return Markup(
        '<span class="badge{}" style="background-color:{};color:{}"><span aria-hidden="true">{}</span> {}</span>'
    ).format(" hatched" if doubt else "", look.colour, look.text, look.shape, str(rating))


def _heading(column: Show, *, unit: str, sifted: bool) -> Markup:
    css = Markup(' class="num"') if column.form in NUMERIC else Markup("")
    unit_text = Markup(' <span class="unit">{}</span>').format(unit) if unit else Markup("")
    note = Markup(' title="{}"').format(column.note) if column.note else Markup("")
    by = Markup("")
    if sifted and column.form != "amount":  # amounts in several currencies have no order
        by = Markup(' data-by="{}"').format("number" if column.form in NUMERIC | {"rating"} else "text")
        by += Markup(" data-choice") if column.choice else Markup("")
    return Markup('<th scope="col"{}{}{}>{}{}</th>').format(css, note, by, column.label, unit_text)


_ROW, _END_OF_ROW, _END = Markup("<tr>"), Markup("</tr>"), Markup(">")
_HEAD, _END_OF_HEAD = Markup('<th scope="row"'), Markup("</th>")
_CELL, _NUMBER, _END_OF_CELL = Markup("<td"), Markup('<td class="num"'), Markup("</td>")
_CELLS = {
    **dict.fromkeys(NUMERIC, _NUMBER), "prose": Markup('<td class="prose"'), "source": Markup('<td class="source"'),
    "day": Markup('<td class="day"'),
}  # fmt: skip


@dataclass(frozen=True)
class _Cells:
    """Writes the rows of one table."""

    columns: tuple[Show, ...]
    writers: tuple[Callable[[Any], Markup], ...]
    sifted: bool

    def row(self, record: dict[Any, Any]) -> Markup:
        return Markup("").join((_ROW, *self._row(record), _END_OF_ROW))

    def _row(self, record: dict[Any, Any]) -> Iterator[Markup]:
        """Yield the pieces of a row: to join them is many times as fast as to format each cell."""
        for place, (column, writer) in enumerate(zip(self.columns, self.writers, strict=True)):
            value = record.get(column.name)
            wordless = column.form == "rating" and not column.reason
            text = writer(value) if wordless or not _is_null(value) else _null(record, column=column)
            key = _sort_key(value, form=column.form) if self.sifted else Markup("")
            if place == 0:
                yield from (_HEAD, key, _END, text, _END_OF_HEAD)
            else:
                yield from (_CELLS.get(column.form, _CELL), key, _END, text, _END_OF_CELL)


def _sort_key(value: Any, *, form: Form) -> Markup:
    """Return what a cell is sorted by, as an attribute; none where its words will do, or where it has no value."""
    if _is_null(value) or form in ("text", "prose", "source", "flag", "amount"):
        return Markup("")
    if form in NUMERIC:
        key = f"{float(value):.12g}"
    else:
        key = str(rating_rank(value)) if form == "rating" else str(value)[:10]  # a day or a month, as in ISO 8601
    return Markup(' data-value="{}"').format(key)


def _is_null(value: Any) -> bool:
    return value is None or (not isinstance(value, (str, list, tuple)) and bool(pd.isna(value)))


def _null(record: dict[Any, Any], *, column: Show) -> Markup:
    reason = record.get(column.reason) if column.reason else None
    words = str(reason) if not _is_null(reason) and reason else NOT_COMPUTABLE
    if words == NOT_COMPUTABLE and column.form in ("text", "prose", "source"):
        words = "–"
    return Markup('<span class="null">{}</span>').format(words)


def _writer(rows: pd.DataFrame, *, column: Show, total: pd.Series | None) -> tuple[Callable[[Any], Markup], str]:
    """Return a function that writes one cell, and the unit for the column's heading."""
    values = rows[column.name]
    form = column.form
    if form in ("money", "money_signed"):
        signed = form == "money_signed"
        amounts = [
            *values.dropna().astype(float),
            *([] if total is None else [float(total.get(column.name, 0.0))]),
        ]
        scale = money_scale(amounts, currency="".join(_currencies(rows, column=column)))
        return (lambda value: escape(scale.write(float(value), signed=signed))), scale.unit
    return FORMS[form], "days" if form.startswith("days") else ""


def _each_in_its_own(rows: pd.DataFrame, *, columns: Sequence[Show]) -> dict[str, list[str | None]]:
    """Return the columns of money that mix currencies, as texts: every amount in its own."""
    texts: dict[str, list[str | None]] = {}
    for column in columns:
        if column.form in ("money", "money_signed") and len(_currencies(rows, column=column)) > 1:
            pairs = zip(rows[column.name], rows[column.unit or "currency"], strict=True)
            signed = column.form == "money_signed"
            texts[column.name] = [
                None if _is_null(amount) else money(amount, currency="" if _is_null(unit) else unit, signed=signed)
                for amount, unit in pairs
            ]
    return texts


def _currencies(rows: pd.DataFrame, *, column: Show) -> list[str]:
    """Return the currencies of the amounts of a column, in order; without an amount, those of all rows."""
    name = column.unit or "currency"
    if name not in rows.columns:
        return []
    stated = rows.loc[rows[column.name].notna(), name] if rows[column.name].notna().any() else rows[name]
    return sorted(set(stated.dropna()))


def _source(value: Any) -> Markup:
    return Markup('<span class="source">{}</span>').format(str(value))


FORMS: dict[str, Callable[[Any], Markup]] = {
    "text": lambda value: escape(str(value)),
    "prose": lambda value: escape(str(value)),
    "share": lambda value: escape(share(float(value))),
    "share_signed": lambda value: escape(share(float(value), signed=True)),
    "number": lambda value: escape(number(float(value))),
    "exact": lambda value: escape(number(float(value), decimals=2)),
    "days": lambda value: escape(number(float(value))),
    "days_signed": lambda value: escape(number(float(value), signed=True)),
    "ratio": lambda value: escape(number(float(value), decimals=2)),
    "day": lambda value: escape(day(value)),
    "month": lambda value: escape(month(str(value))),
    "rating": badge,
    "flag": lambda value: escape("yes" if value else "no"),
    "source": _source,
    "amount": lambda value: escape(str(value)),  # written already, in a currency of its own
}
