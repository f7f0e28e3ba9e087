"""What products say of themselves: one adapter each, over one HTTP client."""
