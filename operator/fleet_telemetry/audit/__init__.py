"""What phones home, without an installed operator: the same decision on files and clusters."""
