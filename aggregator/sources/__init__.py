"""The sources of articles: requests with limits and guard (`fetch`), feeds, files, mail and archives (`parse`).

The only package that imports httpx and feedparser. Imports `stories` and the packages below it.
"""
