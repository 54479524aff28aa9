"""End-to-end neural clustering."""
