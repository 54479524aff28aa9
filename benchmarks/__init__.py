"""Benchmarks of coterie: suites of cases, their results as JSON, and the tables and figures made of them."""
