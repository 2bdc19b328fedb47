"""The kinds of problem in words: what happened, and what to do. One row per CODE of ``/problems/CODE``."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of problem: its title, what it means, and the way out."""

    title: str
    meaning: str
    remedy: str


KINDS: dict[str, Kind] = {
    "not-json": Kind(
        "The body is not JSON",
        "The request said that it sends JSON, and the body cannot be read as such.",
        "Check quotes, commas and brackets; numbers like NaN and 1e999 are not JSON.",
    ),
    "bad-request": Kind(
        "The request cannot be read",
        "Something is wrong with the request itself, before its meaning.",
        "Check the address, the headers and the encoding.",
    ),
    "unsupported-media-type": Kind(
        "This kind of body is not read",
        "Bodies are read as JSON or as a form.",
        "Send Content-Type: application/json, or use curl --json.",
    ),
    "invalid": Kind(
        "The request has no meaning here",
        "A field, a value or their combination is not accepted. Each fault is listed with its place.",
        "Correct the fields listed and send it again; the browser’s Back keeps what you typed. Nothing was changed.",
    ),
    "limit-exceeded": Kind(
        "More than is allowed",
        "The request asks for more than this service does at once.",
        "The limits are listed at /v1/limits.",
    ),
    "request-timeout": Kind(
        "The request took too long",
        "A request began, and its rest did not come in time.",
        "Send it again, over a better connection if there is one.",
    ),
    "headers-too-large": Kind(
        "The headers are too large",
        "The request has a longer address or more headers than are read.",
        "Send fewer headers; data belongs into the body.",
    ),
    "too-many-requests": Kind(
        "Too many requests",
        "There is a limit to how often a minute this may be asked for.",
        "Wait the seconds that the answer's Retry-After header names.",
    ),
    "server-key-needed": Kind(
        "The server's key is needed",
        "Whoever runs this service lets only those create sessions who know its key.",
        "Ask for the key; programs send it as the header Authorization: Bearer KEY, forms as the field server_key.",
    ),
    "store-damaged": Kind(
        "The database is damaged",
        "What the database holds is not what was written to it, so it is not used.",
        "Whoever runs the service should restore a backup, and look at the disk.",
    ),
    "conflict": Kind(
        "Not possible in the present state",
        "The action does not fit what the session is doing now.",
        "Look at the session's allowed actions.",
    ),
    "wrong-phase": Kind(
        "Not in this phase",
        "A batch goes forward, then backward, then the parameters are updated. The action asked for is not next.",
        "Take one of the actions that are allowed now.",
    ),
    "run-in-progress": Kind(
        "A run is under way",
        "The session is running, and accepts nothing else until the run ends.",
        "Wait a moment and try again.",
    ),
    "no-attempt-left": Kind(
        "All attempts are used",
        "The assignment allows so many attempts for each student, and these have been made.",
        "The best of them counts. Ask the teacher if something went wrong.",
    ),
    "diverged": Kind(
        "The training has diverged",
        "The loss or a gradient is no longer a finite number, so there is no step to take.",
        "Undo, or fork the session with a smaller learning rate.",
    ),
    "nothing-to-undo": Kind(
        "There is nothing to undo",
        "The session is at its start.",
        "Take a step forward first.",
    ),
    "stale-revision": Kind(
        "The session has moved on",
        "The page or program had seen an older revision of the session. Nothing was changed.",
        "Look at the current revision and decide again.",
    ),
    "not-found": Kind(
        "There is no such thing",
        "Nothing is at this address: it may be mistyped, or have been deleted.",
        "Check the address. A session's id cannot be found again if it is lost.",
    ),
    "read-only": Kind(
        "This link only allows to look",
        "The read-only id shows a session and changes nothing.",
        "Ask its owner for the other id, or start a session of your own.",
    ),
    "method-not-allowed": Kind(
        "Not with this method",
        "The address exists, but not for this method.",
        "The header Allow names those that work.",
    ),
    "overloaded": Kind(
        "Too many requests at once",
        "The service is busy.",
        "Try again in a moment.",
    ),
    "store-unavailable": Kind(
        "The database cannot be used now",
        "Nothing was changed.",
        "Try again in a moment.",
    ),
    "store-full": Kind(
        "The database has no room left",
        "Nothing was changed.",
        "Its operator must make room.",
    ),
    "internal-error": Kind(
        "Something went wrong here",
        "The fault is the service's and has been logged. Nothing was changed.",
        "Try again; if it happens again, tell the operator what you did.",
    ),
    "unknown-host": Kind(
        "This name is not served",
        "The request names a host that this service does not answer for.",
        "Use the address the operator gave, or let the operator add this one to --allowed-hosts.",
    ),
}
