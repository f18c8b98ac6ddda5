"""Renderers: one per file, each from an `AuditResult` alone."""
