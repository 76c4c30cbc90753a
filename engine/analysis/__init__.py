"""What the numbers of a run say: metrics, the table, the report."""
