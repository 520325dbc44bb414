"""What people on call see: logs, metrics, alerts."""
