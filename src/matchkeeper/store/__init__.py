"""The only place that knows Redis: keys, scripts, connection, embedded server."""
