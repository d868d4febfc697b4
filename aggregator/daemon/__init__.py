"""The daemon: its process, threads, schedule and watchdog.

The only package that imports APScheduler. Imports `web`, `admin` and the packages below them.
"""
