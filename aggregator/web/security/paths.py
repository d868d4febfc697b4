"""The paths that the guard treats differently from others."""

API = "/api/"
SIGN_IN = "/sign-in"
PUSH = "/api/v1/articles"
# The Google Reader API. Pages of all origins may read its responses, because a client in a browser engine (Fluent
# Reader) has another origin. Its requests have a token in a header that no browser adds by itself.
READER_API = ("/accounts/ClientLogin", "/reader/")
FRESHRSS_API = "/api/greader.php"  # some clients put this before the paths
# Pages of the origins in `server.cors` may use these paths, but not the pages of this server, whose forms have secrets.
FOR_PROGRAMS = (API, "/feeds/")
PROBES = frozenset({"/healthz", "/readyz"})
# These answer while the database does not, so a token that was accepted before is enough.
MONITORED = frozenset({"/status", "/metrics"})
# Open to every client, with or without a token
OPEN_PATHS = PROBES | {"/robots.txt", SIGN_IN, READER_API[0]}
OPEN_FOLDER = "/static/"
