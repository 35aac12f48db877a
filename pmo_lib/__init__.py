"""PMO Workbook: portfolio returns in; proven health checks, outlooks and risk registers out."""

__version__ = "0.1.0"
