"""Speed and memory, each measured against a peer in the same run."""
