"""What the figures of a network, and of changes that were tried on it, say: verdict, causes, fixes. No network is run here."""
