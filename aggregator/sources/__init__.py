"""The sources of articles: requests with limits and guard (`fetch`), feeds, files, mail and archives (`parse`).

The only package that imports httpx and feedparser. It imports `extract` and the packages below that.
"""
