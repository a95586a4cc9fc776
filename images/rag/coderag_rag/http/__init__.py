"""What both HTTP services of this package share: keys, error object, health, logs, metrics."""
