"""What is served and sent: pages, feeds, APIs, MCP, webhooks; who may read and change what (`security`).

The only package that imports FastAPI. Imports `intake` and the packages below it, not `admin`.
"""
