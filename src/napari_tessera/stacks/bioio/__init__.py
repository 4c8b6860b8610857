"""Formats of microscopes, through bioio."""
