"""All SQL, on SQLite and PostgreSQL: `engine`, `intake`, `stories`, `read`, `search`, `maintenance`.

The only package that imports SQLAlchemy and Alembic. Imports `stories` and the packages below it.
"""
