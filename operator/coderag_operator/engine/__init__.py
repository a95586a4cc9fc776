"""The process around the passes: watches, queue, Lease, health, metrics, Events. The only package that imports kopf."""
