"""The accepted certificate authorities: of certifi, of the system, and those that a source names for its host."""

import ssl
from collections.abc import Mapping
from typing import NamedTuple

import httpx

from aggregator.config.settings import Config
from aggregator.config.source_settings import split_address
from aggregator.config.values import at_key
from aggregator.model.errors import ConfigError

UNCHECKED = "its certificate is not checked (`insecure: true`)"
# Codes of OpenSSL: X509_V_ERR_CERT_HAS_EXPIRED, and those of a certificate for another host name or IP address
_EXPIRED = 10
_OTHER_NAME = frozenset({62, 64})
_MISSING = (
    ": its authority is unknown here, or the server omits an intermediate certificate; add what is missing "
    "to the store of the system, to SSL_CERT_FILE, or as `ca_file:` to the source"
)


class HostTrust(NamedTuple):
    """The settings `ca_file` and `insecure` of sources for their host."""

    ca_files: tuple[str, ...] = ()
    is_insecure: bool = False


def host_trusts(config: Config) -> Mapping[str, HostTrust]:
    """Return the settings of each host that has its own. Raise ConfigError for an unusable `ca_file`.

    The settings of a source cover the pages and robots.txt of its host, but not hosts that it redirects or links to.
    """
    trusts: dict[str, HostTrust] = {}
    for number, source in enumerate(config.sources):
        address = source.feed or source.page or source.imap
        if address is None or (source.ca_file is None and not source.insecure):
            continue
        try:
            host = httpx.URL(split_address(address)[0]).raw_host.decode("ascii")
        except (httpx.InvalidURL, UnicodeError):
            continue  # reported by the kind of the source
        files, is_insecure = trusts.get(host, HostTrust())
        if source.ca_file is not None:
            files = (*files, str(config.path(source.ca_file)))
        trusts[host] = HostTrust(files, is_insecure or source.insecure)
        with at_key(f"sources.{number}.ca_file"):
            tls_of(trusts[host])
    return trusts


def tls_of(trust: HostTrust = HostTrust()) -> ssl.SSLContext:  # noqa: B008 - frozen
    """Return a new context for TLS. Raise ConfigError for a file without certificates.

    The system's authorities are in OpenSSL's default places, or in SSL_CERT_FILE and SSL_CERT_DIR.
    """
    # The new context has the authorities of certifi.
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    for file in trust.ca_files:
        try:
            context.load_verify_locations(file)
        except OSError as error:  # ssl.SSLError is one
            reason = error.strerror
            if isinstance(error, ssl.SSLError):
                reason = "there is no certificate (PEM) in it"
            raise ConfigError(f"{file}: {reason}") from error
        # The file may have an intermediate certificate, or the server's own certificate, without its authority.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if trust.is_insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def refused_certificate(error: ssl.SSLCertVerificationError) -> str:
    """Return why a certificate was refused, and what helps."""
    reason = error.verify_message.rstrip(".")
    if error.verify_code in _OTHER_NAME:
        return f"{reason}; use the address whose name it has"
    advice = "" if error.verify_code == _EXPIRED else _MISSING
    return f"{reason}{advice}; `insecure: true` of the source reads it unchecked"
