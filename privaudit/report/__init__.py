"""Renderers: one a file, each from an `AuditResult` alone."""
