"""The gate: a page that is incomplete, or holds what a page may not hold, is refused with all reasons.

It trusts neither papermill's word that a notebook completed nor the writers of the page: it looks at the finished
bytes, once as an HTML parser sees them and once as plain text, since what a parser and a browser disagree on is where
attacks hide. Each reason is a sentence for whoever has to mend the report.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, NoReturn

from pmo_lib.errors import GateRefused
from pmo_lib.parameters.documents import has_secret_shape
from pmo_lib.render.charts import PLOTLY, asset_name, library, page_script
from pmo_lib.render.page import IDENTITY, SCRAP, contents, identity, policy
from pmo_lib.render.paths import machine_roots
from pmo_lib.report import ECHO, EXHIBIT, PUBLISHED, RESTATED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from nbformat import NotebookNode

SHOWABLE = {
    PLOTLY, ECHO, EXHIBIT, PUBLISHED, RESTATED, "text/html", "text/plain", "text/markdown", "text/latex",
    "image/svg+xml", "image/png", "image/jpeg",
}  # fmt: skip
FORBIDDEN_TAGS = {
    "applet", "base", "embed", "form", "foreignobject", "frame", "frameset", "iframe", "link", "math", "noembed",
    "noframes", "object", "plaintext", "portal", "select", "template", "textarea", "xmp",
}  # fmt: skip
ADDRESSES = {
    "action", "background", "cite", "codebase", "data", "formaction", "href", "longdesc", "manifest", "ping", "poster",
    "profile", "src", "srcset", "xlink:href",
}  # fmt: skip
FIGURE_DATA = re.compile(r"figure-(\d+)-data")
ASSET = re.compile(r"(?:\.\./)*(?:[A-Za-z0-9][\w.-]*/)*" + re.escape(asset_name()))
_CSS_FETCH = re.compile(r"@import|image-set\(|expression\(|-moz-binding|url\(\s*['\"]?(?!data:image/|#)", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_HANDLER = re.compile(r"<[a-z][^<>]*[\s/\"']on[a-z]+\s*=", re.IGNORECASE)
_ATTRIBUTE_WITH_TAG = re.compile(r"<[a-z][^<>]*=\s*\"[^\"<]*<|<[a-z][^<>]*=\s*'[^'<]*<", re.IGNORECASE)
_LINK = re.compile(r"<\s*a\b[^>]*\bhref", re.IGNORECASE)  # the one tag of plotly's own markup that leads somewhere
_ASSIGNED_SECRET = re.compile(
    r"(?:passw(?:or)?d|passphrase|secret|api_?key|access_?key|token)\w*['\"]?\s*[=:]\s*['\"]?(?!env:)"
    r"(?=[^\s'\"<,;]*\d)(?=[^\s'\"<,;]*[A-Za-z])[^\s'\"<,;]{8,}",
    re.IGNORECASE,
)
_CLOUD = re.compile(
    r"showSendToCloud['\"]?\s*:\s*(?!false)|sendDataToCloud|chart-studio|plot\.ly"
    r"|plotlyServerURL['\"]?\s*:\s*['\"][^'\"]",
    re.IGNORECASE,
)
# What the text must hold, in any case of its letters, for the pattern to be found: looked for first, since it is there
# hardly ever and a page is long. No i among them: a pattern without case takes the dotless one for it.
_SIGNS_OF_SECRETS = ("passw", "passph", "secret", "key", "token")
_SIGNS_OF_CLOUD = ("tocloud", "chart-stud", "plot.ly", "plotlyserver")


def gate(notebook: NotebookNode, *, page: str, parameters: Mapping[str, Any], figures_made: int | None = None) -> None:
    """Raise GateRefused, with ``data["reasons"]``, unless a page may be published.

    Parameters
    ----------
    notebook
        As executed.
    page
        As rendered from it.
    parameters
        What was asked for; ``organisation, period, portfolio, report, snapshot`` are compared with what the report
        says that it is of (an empty snapshot asks for none in particular). Other names are not echoed.
    figures_made
        How many figures the report counted itself; None if it does not count.
    """
    if reasons := refusals(notebook, page=page, parameters=parameters, figures_made=figures_made):
        raise GateRefused(f"The page is refused: {' '.join(reasons)}", stage="gate", reasons=reasons)


def refusals(
    notebook: NotebookNode, *, page: str, parameters: Mapping[str, Any], figures_made: int | None = None
) -> list[str]:
    """Return every reason to refuse a page; see :func:`gate`."""
    parsed = Parsed(page)
    return [
        *_execution(notebook),
        *_outputs(notebook),
        *_echo(notebook, parameters=parameters),
        *_exhibits(notebook, figures_made=figures_made),
        *_figures(notebook, parsed=parsed),
        *_frame(notebook, parsed=parsed),
        *_scripts(parsed),
        *_tags(parsed),
        *_raw(parsed),
        *_text(parsed),
    ]


@dataclass
class Script:
    """One script element."""

    attributes: dict[str, str]
    content: str = ""


@dataclass
class Style:
    """One style element."""

    content: str = ""


class Parsed(HTMLParser):
    """A page taken apart: its tags, scripts, styles, meta elements and visible text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.page = page
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.scripts: list[Script] = []
        self.styles: list[Style] = []
        self.comments = 0
        self._inside: Script | Style | None = None
        self._text: list[str] = []
        self.feed(page)
        self.close()

    @property
    def text(self) -> str:
        """Everything that a reader sees, code included."""
        return " ".join(self._text)

    def metas(self, name: str) -> list[str]:
        """Return the contents of the meta elements of one name."""
        found = (attributes for tag, attributes in self.tags if tag == "meta")
        return [a.get("content", "") for a in found if name in (a.get("name"), a.get("http-equiv", "").lower())]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a tag."""
        attributes = {name: value or "" for name, value in attrs}
        self.tags.append((tag, attributes))
        if tag == "script":
            self._inside = Script(attributes)
            self.scripts.append(self._inside)
        elif tag == "style":
            self._inside = Style()
            self.styles.append(self._inside)

    def handle_endtag(self, tag: str) -> None:
        """Leave a script or a style."""
        if tag in ("script", "style"):
            self._inside = None

    def handle_data(self, data: str) -> None:
        """Take text."""
        if self._inside is None:
            self._text.append(data)
        else:
            self._inside.content += data

    def handle_comment(self, data: str) -> None:
        """Count a comment."""
        self.comments += 1


# --- the notebook ---------------------------------------------------------------------------------------------------


def _execution(notebook: NotebookNode) -> Iterator[str]:
    expected = 1
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        if cell.execution_count is None:
            yield f"Cell {index} was not executed."
        elif cell.execution_count != expected:
            yield f"Cell {index} was executed out of order: it was number {cell.execution_count}, not {expected}."
        expected += 1


def _outputs(notebook: NotebookNode) -> Iterator[str]:
    for index, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                yield f"Cell {index} failed: {output.ename}: {output.evalue}."
            elif output.output_type == "stream":
                yield f"Cell {index} wrote to {output.name}: {output.text.strip()[:200]!r}."
            else:
                kinds = (kind for kind in output.data if kind not in SHOWABLE and not kind.startswith(SCRAP))
                yield from (f"Cell {index} has an output that a page cannot show: {kind}." for kind in kinds)


def _echo(notebook: NotebookNode, *, parameters: Mapping[str, Any]) -> Iterator[str]:
    echoes, published = contents(notebook, kind=ECHO), contents(notebook, kind=PUBLISHED)
    if len(echoes) != 1:
        yield f"The notebook says {len(echoes)} times what it is of; it must begin one report."
    if len(published) != 1:
        yield f"The notebook published {len(published)} times; it must publish once, at its end."
    for name in (name for name in IDENTITY if name in parameters and echoes):
        asked, told = parameters[name] or "", echoes[0].get(name, "")
        if asked != told and not (name == "snapshot" and not asked):
            yield f"The {name} is {told!r}, but {asked!r} was asked for."


def _exhibits(notebook: NotebookNode, *, figures_made: int | None) -> Iterator[str]:
    exhibits, figures = contents(notebook, kind=EXHIBIT), len(contents(notebook, kind=PLOTLY))
    for name, times in Counter(exhibit["exhibit"] for exhibit in exhibits).items():
        if times > 1:
            yield f"The exhibit {name!r} is shown {times} times."
    promised = sum(bool(exhibit["figure"]) for exhibit in exhibits)
    if exhibits and promised != figures:
        yield f"The exhibits promise {promised} figures, the notebook holds {figures}."
    if figures_made is not None and figures_made != figures:
        yield f"The report made {figures_made} figures, the notebook holds {figures}."


def _figures(notebook: NotebookNode, *, parsed: Parsed) -> Iterator[str]:
    """Count figures in the page, and tables; look into the figures' data."""
    held = len(contents(notebook, kind=PLOTLY))
    ids = [attributes.get("id") for tag, attributes in parsed.tags if tag == "figure"]
    drawn = [f"figure-{number + 1}" for number in range(held)]
    if [name for name in ids if name in drawn] != drawn or len(_figure_data(parsed)) != held:
        yield f"The notebook holds {held} figures, the page {len(_figure_data(parsed))}."
    tables = sum(bool(exhibit["table"]) for exhibit in contents(notebook, kind=EXHIBIT))
    shown = sum(tag == "table" for tag, _ in parsed.tags)
    if shown < tables:
        yield f"The exhibits promise {tables} tables, the page shows {shown}."
    for script in _figure_data(parsed):
        yield from _figure_problems(script)


def _figure_problems(script: Script) -> Iterator[str]:
    name = script.attributes["id"].removesuffix("-data")
    try:
        figure = json.loads(script.content, parse_constant=_no_number)
    except ValueError as error:
        yield f"The data of {name} are no JSON: {error}."
        return
    for key, text in _texts(figure):
        if key in ("source", "src", "href", "url", "topojsonURL") and re.match(r"\s*([a-z]+:)?//", text, re.IGNORECASE):
            yield f"{name} points to an external address: {text[:80]!r}."
        if _LINK.search(text):
            yield f"{name} holds a link in its text: {text[:80]!r}."


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number that JSON knows")


def _texts(value: Any, *, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text in a JSON value with the key that it stands under."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _texts(item, key=name)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, key=key)


# --- the page -------------------------------------------------------------------------------------------------------


def _frame(notebook: NotebookNode, *, parsed: Parsed) -> Iterator[str]:
    """Check what our template writes: identity, policy, one document."""
    for name, value in identity(notebook).items():
        if parsed.metas(f"pmo-{name}") != [value]:
            yield f"The page does not carry the notebook's {name}."
    if parsed.metas("pmo-published") == ["no"]:
        yield "The page is not marked as published."
    known = [policy(standalone=False), policy(standalone=True)]
    if len(policies := parsed.metas("content-security-policy")) != 1 or policies[0] not in known:
        yield "The page does not have exactly our content security policy."
    counts = Counter(tag for tag, _ in parsed.tags)
    for tag in ("html", "head", "title", "body", "main", "h1"):
        if counts[tag] != 1:
            yield f"The page has {counts[tag]} elements <{tag}>, not one."


def _figure_data(parsed: Parsed) -> list[Script]:
    return [script for script in parsed.scripts if FIGURE_DATA.fullmatch(script.attributes.get("id", ""))]


def _scripts(parsed: Parsed) -> Iterator[str]:
    allowed: dict[str, Callable[[Script], bool]] = {"page": _is_page_script, "library": _is_library}
    for name, is_it in allowed.items():
        if (number := sum(map(is_it, parsed.scripts))) != 1:
            yield f"The page has {number} {name} scripts, not one."
    for script in parsed.scripts:
        if not (_is_page_script(script) or _is_library(script) or _is_figure_data(script)):
            told = script.attributes.get("src") or script.content
            yield f"The page holds a script that is not ours: {told.strip()[:80]!r}."


def _is_page_script(script: Script) -> bool:
    return script.attributes == {"id": "page-script"} and script.content == page_script()


def _is_library(script: Script) -> bool:
    if set(script.attributes) == {"src"}:
        return bool(ASSET.fullmatch(script.attributes["src"])) and not script.content
    return script.attributes == {"id": "plotly"} and script.content == library()


def _is_figure_data(script: Script) -> bool:
    attributes = script.attributes
    known = set(attributes) == {"type", "id"} and attributes["type"] == "application/json"
    return known and bool(FIGURE_DATA.fullmatch(attributes["id"]))


def _tags(parsed: Parsed) -> Iterator[str]:
    """Check every element and attribute."""
    for tag, attributes in parsed.tags:
        if tag in FORBIDDEN_TAGS:
            yield f"The page holds an element <{tag}>."
        if (
            tag == "meta"
            and attributes.get("http-equiv", "content-security-policy").lower() != "content-security-policy"
        ):
            yield f"The page holds <meta http-equiv={attributes['http-equiv']!r}>."
        for name, value in attributes.items():
            yield from _attribute(tag, name=name, value=value)
    for css in (style.content for style in parsed.styles):
        if found := _CSS_FETCH.search(css):
            yield f"A style sheet fetches something: {css[found.start() : found.start() + 60]!r}."


def _attribute(tag: str, *, name: str, value: str) -> Iterator[str]:
    if name.startswith("on"):
        yield f"<{tag}> has the event handler {name}={value[:60]!r}."
    if name == "style" and _CSS_FETCH.search(value):
        yield f"<{tag}> has a style that fetches something: {value[:60]!r}."
    if name == "srcdoc":
        yield f"<{tag}> holds a document of its own."
    if name in ADDRESSES and not (tag == "script" and name == "src"):
        address = re.sub(r"[\x00-\x20]", "", value)
        picture = tag == "img" and re.match(r"data:image/(png|jpeg|svg\+xml);base64,", address)
        if not picture and (_SCHEME.match(address) or address.startswith(("/", "\\"))):
            yield f"<{tag} {name}> leads out of the published folder: {value[:80]!r}."


def _raw(parsed: Parsed) -> Iterator[str]:
    """Look for what a browser might see and the parser did not; data blocks and our scripts are left out."""
    rest = parsed.page
    for script in filter(None, (script.content for script in parsed.scripts)):
        rest = rest.replace(script, "", 1)
    rest_low = rest.lower()
    expected = {"script": len(parsed.scripts), "style": len(parsed.styles), "noscript": len(_figure_data(parsed))}
    for tag, number in {**expected, "title": 1}.items():
        for shape in (f"<{tag}", f"</{tag}"):
            if (found := len(re.findall(rf"{shape}\b", rest_low))) != number:
                yield f"The page holds {shape}> {found} times where {number} are ours."
    if parsed.comments or "<!--" in rest or "<![cdata[" in rest_low:
        yield "The page holds a comment or a CDATA section."
    if _ATTRIBUTE_WITH_TAG.search(rest):
        yield "An attribute holds a bare <."
    if found_handler := _HANDLER.search(re.sub(r'"[^"]*"', '""', rest)):
        yield f"The page holds what may be an event handler: {found_handler[0][-60:]!r}."


def _text(parsed: Parsed) -> Iterator[str]:
    """Look for cloud options, secrets and paths of this machine, in what is visible and in the figures' data."""
    data = " ".join(script.content for script in _figure_data(parsed))
    told = f"{parsed.text} {data}"
    if _may_hold(data, signs=_SIGNS_OF_CLOUD) and (found := _CLOUD.search(data)):
        yield f"A figure may offer to upload its data: {found[0]!r}."
    if has_secret_shape(told) or (_may_hold(told, signs=_SIGNS_OF_SECRETS) and _ASSIGNED_SECRET.search(told)):
        yield "The page holds what looks like a secret; it is not repeated here."
    for root in machine_roots():
        if f"{root}/" in told and (found := re.search(rf"(?<![\w.]){re.escape(root)}/[\w.-]+", told)):
            yield f"The page holds a path of this machine: {found[0]!r}."


def _may_hold(text: str, *, signs: Iterable[str]) -> bool:
    """Tell whether a text holds one of some signs, whatever the case of its letters."""
    folded = text.casefold()
    return any(sign in folded for sign in signs)
