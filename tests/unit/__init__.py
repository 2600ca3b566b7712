"""Tests without servers, file for file beside the package."""
