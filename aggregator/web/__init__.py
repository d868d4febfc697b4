"""Serve pages, feeds, APIs and MCP, and decide who may read and change what (`security`).

The only package that imports FastAPI. Imports `deliver` and the packages below it, not `admin`.
"""
