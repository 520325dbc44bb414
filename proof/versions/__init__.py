"""Two versions of Matchkeeper side by side on one Valkey, as in a rollout and on the way back."""
