"""Who calls, and, in valid requests, names of things that exist: the schema says their form only."""

import itertools
import json
import os
import urllib.request
import uuid

import schemathesis

FIXTURE = json.loads(os.environ["VESTIBULE_CHECK_API"])
# Less than a step's token lives.
REFRESH_SECONDS = 10

turns = itertools.count()
# What the product of main.ts asks.
ANSWERS = {"attributes": {"team": "one"}, "consents": [{"id": "terms", "version": "2"}]}


class ServiceToken:
    client = "vestibule-keycloak"

    def get(self, case, context):
        with urllib.request.urlopen(f"{FIXTURE['tokens']}/{self.client}") as answer:
            return answer.read().decode()

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"


@(schemathesis.auth(refresh_interval=REFRESH_SECONDS).apply_to(path_regex="^/api/trial/(verify|creation/outcomes?|infos)$"))
class StepToken(ServiceToken):
    pass


def caller_of_creation(case, context):
    """A password is what only programs send."""
    return "a-program" if isinstance(case.body, dict) and "password" in case.body else "vestibule-keycloak"


@(schemathesis.auth(refresh_interval=REFRESH_SECONDS, cache_by_key=caller_of_creation).apply_to(path="/api/trial/creation"))
class CreationToken(ServiceToken):
    def get(self, case, context):
        self.client = caller_of_creation(case, context)
        return super().get(case, context)


# Managers' calls too: the proxy makes them for staff.
@(schemathesis.auth(refresh_interval=REFRESH_SECONDS).apply_to(path_regex="^/api/(?!(legacy/)?trial/(verify|creation|infos|changes|embed-standing|register)(/|$))"))
class ProxyToken(ServiceToken):
    client = "vestibule-proxy"


@(schemathesis.auth(refresh_interval=REFRESH_SECONDS).apply_to(path_regex="^/api/trial/(changes|embed-standing)$"))
class ReadingProxyToken(ServiceToken):
    client = "reading-proxy"


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    turn = next(turns)
    valid = VALID.get(case.path.replace("/legacy", ""))
    if valid is not None:
        valid(case, turn)


def register(case, turn):
    """Which products, attributes and consents there are stands in products.yaml."""
    known = {
        "username": FIXTURE["addresses"][turn % len(FIXTURE["addresses"])],
        "product": "app",
        "next_page": FIXTURE["pages"][turn % len(FIXTURE["pages"])],
    }
    case.body = {**case.body, **{name: value for name, value in known.items() if name in case.body}, **ANSWERS}


def with_invitation(case, turn):
    """Every other request names an invitation that exists."""
    if turn % 2 == 0:
        return
    invitations = FIXTURE["invitations" if "password" not in case.body else "invitations_for_programs"]
    invitation = invitations[turn // 2 % len(invitations)]
    known = {**invitation, "attempt_id": str(uuid.uuid4()), "user_id": str(uuid.uuid4())}
    answers = ANSWERS if case.path.endswith("/creation") else {}
    case.body = {**case.body, **{name: value for name, value in known.items() if name in case.body}, **answers}


def outcome(case, turn):
    if turn % 2 == 0:
        return
    case.body = {**case.body, **FIXTURE["attempts"][turn // 2 % len(FIXTURE["attempts"])]}


def outcomes(case, turn):
    if turn % 2 == 0 or not case.body.get("outcomes"):
        return
    attempt = FIXTURE["attempts"][turn // 2 % len(FIXTURE["attempts"])]
    case.body = {**case.body, "outcomes": [{**one, **attempt} for one in case.body["outcomes"]]}


def of_a_trial(case, turn):
    """Every other path names a trial that exists."""
    if turn % 2 == 1 and "id" in (case.path_parameters or {}):
        case.path_parameters = {**case.path_parameters, "id": FIXTURE["lives"][turn // 2 % len(FIXTURE["lives"])]}


def of_a_person(case, turn):
    """Either user_id or username: OpenAPI has no words for that."""
    person = FIXTURE["people"][turn % len(FIXTURE["people"])]
    left = {name: value for name, value in case.body.items() if name not in ("user_id", "username", "product", "days", "until")}
    case.body = {**left, **person, **({"days": turn % 30 + 1} if "extend" in case.path else {})}


def first_page(case, turn):
    """A cursor is what the page before gave."""
    case.query = {name: value for name, value in (case.query or {}).items() if name != "cursor"}


def funnel(case, turn):
    """One day is before the other."""
    case.query = {**(case.query or {}), "from": "2026-01-01", "to": f"2026-01-{turn % 28 + 1:02}"}


def infos(case, turn):
    """Either user_id or username: OpenAPI has no words for that."""
    query = dict(case.query or {})
    people = FIXTURE["people"]
    person = people[turn % len(people)]
    if turn % 2 == 0 and ("user_id" in query or "username" in query):
        query.pop("user_id" if "username" in query else "username", None)
    else:
        query.pop("username", None)
        query.pop("user_id", None)
        query.update(person)
    case.query = query


def changes(case, turn):
    """A stream that goes on would never be read to its end."""
    case.query = {**(case.query or {}), "follow": "false"}


VALID = {
    "/api/trial/changes": changes,
    "/api/trial/register": register,
    "/api/trial/verify": with_invitation,
    "/api/trial/creation": with_invitation,
    "/api/trial/creation/outcome": outcome,
    "/api/trial/creation/outcomes": outcomes,
    "/api/trial": first_page,
    "/api/trial/funnel": funnel,
    "/api/trial/extend": of_a_person,
    "/api/trial/completion": of_a_person,
    "/api/trial/{id}": of_a_trial,
    "/api/trial/{id}/resend": of_a_trial,
    "/api/trial/{id}/revoke": of_a_trial,
    "/api/trial/{id}/export": of_a_trial,
    "/api/trial/{id}/allow-again": of_a_trial,
    "/api/trial/infos": infos,
}
