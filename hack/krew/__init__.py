"""What krew distributes: an archive for each platform, and the manifest that names them."""
