"""Clean articles from bytes: pages (`html`), texts (`plain`), dates, scripts (`language`), agencies (`wire`).

Pure, and the only package that imports trafilatura. Imports `text` and the packages below it.
"""
