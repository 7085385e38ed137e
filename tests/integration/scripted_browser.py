"""A browser for `$BROWSER`: logs in as the user named first, at the address named second, and follows it back to this machine."""

from __future__ import annotations

import sys
import urllib.request
from urllib.parse import parse_qs, urlsplit

from tests.integration.oidc_server import Browser

if __name__ == "__main__":
    user, address = sys.argv[1:]
    redirect = parse_qs(urlsplit(address).query)["redirect_uri"][0]
    landed = Browser(user).visit(address, until=redirect)
    with urllib.request.urlopen(landed, timeout=10) as response:
        response.read()
