"""Who to call and as whom: arguments, then environment, then the profile that `mesh login` saved.

Owns `~/.config/domain-mesh/profile.json` (XDG_CONFIG_HOME respected, readable by its owner only). A saved token is only ever sent
to the server it was saved for. Never looks at the administrator's token file.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from domain_sdk._oidc_session import OidcSession, SessionToken
from domain_sdk.errors import InvalidRequest, NotConfigured

__all__ = [
    "Profile",
    "Profiles",
    "find_connection",
    "load_profiles",
    "profile_path",
    "remove_profile",
    "replace_token",
    "save_profile",
    "session_token",
]

DEFAULT_NAME = "default"


@dataclass(frozen=True, slots=True)
class Profile:
    """A server and the token that proves who calls it."""

    url: str
    """Like `http://127.0.0.1:50051` or `https://mesh.example.com`."""
    token: str
    """The bearer token; never shown in the representation."""
    session: OidcSession | None = None
    """What renews the token, if it is an access token of an identity provider."""
    name: str = field(default="", compare=False)
    """What it is saved under; empty if it is not."""

    def __repr__(self) -> str:
        """The URL, without the token."""
        return f"Profile(url={self.url!r}, token='…')"


@dataclass(frozen=True, slots=True)
class Profiles:
    """All saved profiles and which one is used unasked."""

    current: str = DEFAULT_NAME
    """The name used when none is given."""
    by_name: Mapping[str, Profile] = field(default_factory=dict)
    """The profiles."""


def profile_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Where profiles are kept: `$XDG_CONFIG_HOME/domain-mesh/profile.json`, by default below `~/.config`."""
    configured = environ.get("XDG_CONFIG_HOME")
    folder = Path(configured) if configured else Path(environ.get("HOME") or Path.home()) / ".config"
    return folder / "domain-mesh" / "profile.json"


def load_profiles(environ: Mapping[str, str] = os.environ) -> Profiles:
    """The saved profiles; none if the file does not exist.

    Raises:
        NotConfigured: the file cannot be read, is malformed, or others may read it.
    """
    path = profile_path(environ)
    try:
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise NotConfigured(f"The profile file {path} can be read by others, so it is not used: run `chmod 600 {path}`.")
        document = json.loads(path.read_text(encoding="utf-8"))
        profiles = {str(name): _loaded(str(name), it) for name, it in document["profiles"].items()}
        return Profiles(current=str(document.get("current", DEFAULT_NAME)), by_name=profiles)
    except FileNotFoundError:
        return Profiles()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotConfigured(
            f"The profile file {path} cannot be used: {error}: correct or delete it, and run `mesh login`."
        ) from error


def save_profile(profile: Profile, *, name: str = DEFAULT_NAME, environ: Mapping[str, str] = os.environ) -> Path:
    """The profile is saved under the name and is the one used unasked; the file is readable by its owner only."""
    saved = load_profiles(environ)
    return _write(Profiles(current=name, by_name={**saved.by_name, name: profile}), environ)


def replace_token(profile: Profile, token: str, *, environ: Mapping[str, str] = os.environ) -> bool:
    """The saved profile has the token instead; False if it is not saved, or another process has changed it since."""
    with _locked(environ):
        saved = load_profiles(environ)
        if not profile.name or saved.by_name.get(profile.name) != profile:
            return False
        renewed = Profile(profile.url, token, None, profile.name)
        _write(Profiles(saved.current, {**saved.by_name, profile.name: renewed}), environ)
    return True


def remove_profile(name: str = DEFAULT_NAME, *, environ: Mapping[str, str] = os.environ) -> bool:
    """The profile is gone; False if there was none."""
    saved = load_profiles(environ)
    if name not in saved.by_name:
        return False
    left = {other: profile for other, profile in saved.by_name.items() if other != name}
    current = saved.current if saved.current in left else next(iter(left), DEFAULT_NAME)
    _write(Profiles(current=current, by_name=left), environ)
    return True


def _write(profiles: Profiles, environ: Mapping[str, str]) -> Path:
    path = profile_path(environ)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    document = {
        "current": profiles.current,
        "profiles": {name: _saved(profile) for name, profile in profiles.by_name.items()},
    }
    handle, scratch = tempfile.mkstemp(prefix=".profile-", dir=path.parent)  # mkstemp creates it 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=2)
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise
    return path


def _loaded(name: str, entry: Mapping[str, Any]) -> Profile:
    session = OidcSession(**entry["session"]) if entry.get("session") else None
    return Profile(url=str(entry["url"]), token=str(entry["token"]), session=session, name=name)


def _saved(profile: Profile) -> dict[str, Any]:
    session = {"session": asdict(profile.session)} if profile.session else {}
    return {"url": profile.url, "token": profile.token, **session}


def session_token(profile: Profile, *, environ: Mapping[str, str] = os.environ) -> SessionToken:
    """The token of a saved profile that an identity provider gave, renewed when it ends. Every process sees a renewal."""

    def load() -> tuple[str, OidcSession]:
        return _kept(load_profiles(environ).by_name.get(profile.name), profile)

    def renew() -> tuple[str, OidcSession]:
        with _locked(environ):  # a provider that rotates refresh tokens takes each once
            token, session = load()
            if time.time() < session.renew_at:
                return token, session  # another process was quicker
            token, session = session.renewed()
            saved = load_profiles(environ)
            renewed = Profile(profile.url, token, session, profile.name)
            _write(Profiles(saved.current, {**saved.by_name, profile.name: renewed}), environ)
        return token, session

    return SessionToken(load, renew)


def _kept(saved: Profile | None, profile: Profile) -> tuple[str, OidcSession]:
    if saved is None or saved.session is None or saved.url != profile.url:
        raise NotConfigured(f"Profile {profile.name!r} was changed by another process: connect again.")
    return saved.token, saved.session


@contextmanager
def _locked(environ: Mapping[str, str]) -> Iterator[None]:
    """No other process renews within the block, where the system has locks on files."""
    path = profile_path(environ).with_name("profile.lock")
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        with suppress(ImportError):
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def find_connection(
    url: str | None = None, token: str | None = None, *, profile: str | None = None, environ: Mapping[str, str] = os.environ
) -> Profile:
    """The server and token to use: arguments, else MESH_URL and MESH_TOKEN, else the profile.

    MESH_TOKEN belongs to MESH_URL and a profile's token to its URL: another URL given as argument is not sent either.

    Raises:
        NotConfigured: no server or no token is known, or the named profile does not exist.
        InvalidRequest: a named profile and another URL were given together.
    """
    if profile is not None:
        return _named(profile, url=url, token=token, environ=environ)
    env_url = environ.get("MESH_URL") or None
    wanted_url = url or env_url
    env_token = environ.get("MESH_TOKEN") if env_url in (None, wanted_url) else None
    wanted_token = token or env_token or None
    if wanted_url and wanted_token:
        return Profile(wanted_url, wanted_token)
    saved = load_profiles(environ)
    for candidate in (saved.by_name.get(saved.current), *saved.by_name.values()):
        if candidate is not None and wanted_url in (None, candidate.url):
            return Profile(candidate.url, wanted_token) if wanted_token else candidate
    unknown = f"No token is known for {wanted_url}" if wanted_url else "No mesh server is known"
    raise NotConfigured(f"{unknown}: run `mesh login`, or set MESH_URL and MESH_TOKEN, or pass url and token to Mesh.connect.")


def _named(name: str, *, url: str | None, token: str | None, environ: Mapping[str, str]) -> Profile:
    saved = load_profiles(environ).by_name
    if name not in saved:
        known = f"; saved are {', '.join(sorted(saved))}" if saved else ""
        raise NotConfigured(f"There is no profile {name!r}: save it with `mesh login --profile {name}`{known}.")
    if url not in (None, saved[name].url):
        raise InvalidRequest(f"Profile {name!r} is for {saved[name].url}, not {url}: give the URL or the profile, not both.")
    return Profile(saved[name].url, token) if token else saved[name]
