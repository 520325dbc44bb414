"""From a request to a proposal: intake, ingest, the view of a queue, rounds and when they run."""
