"""The addresses that the guard treats in ways of their own."""

API = "/api/"
SIGN_IN = "/sign-in"
PUSH = "/api/v1/articles"
# The Google Reader API. A client in a browser engine (Fluent Reader) is of another origin, so all may read
# its responses. Its requests have a token in a header that no browser adds by itself.
READER_API = ("/accounts/ClientLogin", "/reader/")
FRESHRSS_API = "/api/greader.php"  # some clients put this before the paths
# Pages of `server.cors` may use these; not the pages of this server, whose forms have secrets.
FOR_PROGRAMS = (API, "/feeds/")
PROBES = frozenset({"/healthz", "/readyz"})
# They answer while the database does not.
MONITORED = frozenset({"/status", "/metrics"})
# Open to every client, with or without a token.
OPEN_PATHS = PROBES | {"/robots.txt", SIGN_IN, READER_API[0]}
OPEN_FOLDER = "/static/"
