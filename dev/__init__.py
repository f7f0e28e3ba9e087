"""Development support: none of it ships with the operator."""
