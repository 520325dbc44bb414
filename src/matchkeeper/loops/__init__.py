"""What runs: rounds, ingestion, reaper, watch, and the server that holds them together."""
