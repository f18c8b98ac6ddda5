"""Composes every sentence of a report once, from codes and numbers; the formats choose length and markup."""
