"""The process that runs on: threads, schedule, watchdog, health, metrics.

The only package that imports APScheduler. Imports `web`, `admin` and the packages below them.
"""
