"""A small house for tests of the batch: two reports with notebooks of a few lines, and three portfolios."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import nbformat
import pandas as pd
from returns import small_return

from pmo_lib.snapshots import Archive, take

if TYPE_CHECKING:
    from pathlib import Path

REPORTS = """
reports:
  - name: ratings
    title: Ratings
    question: What do raters say?
    exhibits:
      - {id: ratings, needs: [status], caption: One row a project., supplier: 'project managers, sheet status'}
  - name: whole
    title: The whole
    question: What do all say together?
    scope: organisation
    exhibits:
      - {id: together, needs: [], caption: All projects., supplier: 'the other reports'}
"""
PARAMETERS = """organisation: str = "demo"  # folder under parameters/
period: str = "2026-09"  # month of the status date
{portfolio}snapshot: str = ""  # empty: the newest of the period
overrides: dict = {{}}  # settings that differ in this run"""
RATINGS = [
    """import pandas as pd
from pmo_lib import report
from pmo_lib.tables.html import Show, html_table
book = report.begin("ratings", organisation=organisation, period=period, portfolio=portfolio, snapshot=snapshot, overrides=overrides)""",  # noqa: E501
    """status = book.table("status")
SABOTAGE
book.show("ratings", status, table=lambda rows: html_table(rows, columns=[Show("project_id", "Project"), Show("rating", "Rating", "rating")], caption="Ratings"))""",  # noqa: E501
    """columns = ["name", "value", "unit", "reason"]
figures = pd.DataFrame([("projects", len(status), "projects", None)], columns=columns)
book.publish(figures=figures, tables={"ratings": status[["project_id", "rating"]]})""",
]
WHOLE = [
    """import pandas as pd
from pmo_lib import report
from pmo_lib.tables.html import Show, html_table
book = report.begin("whole", organisation=organisation, period=period, snapshot=snapshot, overrides=overrides)""",
    """ratings = book.published("ratings")
columns = [Show("project_id", "Project")]
book.show("together", ratings, table=lambda rows: html_table(rows, columns=columns, caption="All"))""",
    """counts = book.batch["status"].value_counts()
figures = pd.DataFrame([("projects", len(ratings), "projects", None), *((s, n, "reports", None) for s, n in counts.items())], columns=["name", "value", "unit", "reason"])
book.publish(figures=figures, tables={"ratings": ratings})""",  # noqa: E501
]
PORTFOLIO_LINE = 'portfolio: str = "HWY"  # id of the portfolio\n'


PORTFOLIOS = {"HWY": ["H1", "H2"], "ICT": ["I1"], "SCH": ["S1", "S2", "S3"]}


def build(
    root: Path, *, sabotage: str = "pass", cost: str = "1000.10", portfolios: dict[str, list[str]] = PORTFOLIOS
) -> Path:
    """Make a root with parameters, notebooks and one snapshot; `sabotage` is a line run in every ratings notebook."""
    (root / "parameters" / "demo").mkdir(parents=True)
    (root / "parameters" / "reports.yml").write_text(REPORTS)
    (root / "parameters" / "demo" / "organisation.yml").write_text("id: demo\nname: Demo\n")
    (root / "notebooks").mkdir()
    ratings = [RATINGS[0], RATINGS[1].replace("SABOTAGE", sabotage), RATINGS[2]]
    write_notebook(root / "notebooks" / "ratings.ipynb", title="Ratings", cells=ratings, line=PORTFOLIO_LINE)
    write_notebook(root / "notebooks" / "whole.ipynb", title="The whole", cells=WHOLE, line="")
    checked = small_return("2026-09", date(2026, 9, 30), portfolios=portfolios, cost=cost)
    take(checked, archive=Archive(root / "outputs" / "demo" / "archive"), organisation="demo", reason="made again")
    return root


def write_notebook(path: Path, *, title: str, cells: list[str], line: str) -> None:
    """Write a notebook: parameters, then these code cells, each under a question."""
    parameters = nbformat.v4.new_code_cell(
        PARAMETERS.format(portfolio=line), metadata={"tags": ["parameters"]}, id="parameters"
    )
    nodes = [parameters]
    for number, source in enumerate(cells):
        nodes.append(nbformat.v4.new_markdown_cell(f"## Question {number}?", id=f"question-{number}"))
        nodes.append(nbformat.v4.new_code_cell(source, id=f"answer-{number}"))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=nodes, metadata={"title": title, "kernelspec": kernel})
    nbformat.write(notebook, path)


def figures_of(results: dict[str, object]) -> pd.Series:
    """Return the published figures of a results document by name."""
    return pd.DataFrame(results["figures"]).set_index("name")["value"]
