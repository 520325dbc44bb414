"""What the live page shows: a bounded memory of the last hour, and pure functions over it."""
