"""Formats of a report: one file each, found by being in this folder."""

from privaudit.report.formats.report_format import FORMATS, Format, Report, format_of, parse_formats, write_reports

__all__ = ["FORMATS", "Format", "Report", "format_of", "parse_formats", "write_reports"]
