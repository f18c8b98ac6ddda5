"""Formats of a report; every module of this folder registers the formats that it renders."""

from privaudit.report.formats.report_format import FORMATS, Format, Report, format_of, parse_formats, write_reports

__all__ = ["FORMATS", "Format", "Report", "format_of", "parse_formats", "write_reports"]
