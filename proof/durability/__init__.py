"""What Redis loses when it crashes, by durability: measured, not guessed."""
