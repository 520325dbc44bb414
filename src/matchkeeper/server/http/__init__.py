"""HTTP: health, metrics, and a small API for operators."""
