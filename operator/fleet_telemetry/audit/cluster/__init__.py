"""What runs in clusters: read, and never written."""
