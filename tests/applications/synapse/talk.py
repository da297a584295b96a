"""Logs in, makes a room, says something in it, and reads it back."""

import json
import sys
from urllib.request import Request, urlopen

base = sys.argv[1] + "/_matrix/client/v3"


def ask(method, path, data=None, token=""):
    request = Request(base + path, json.dumps(data).encode() if data is not None else None)
    request.method = method
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    with urlopen(request, timeout=30) as answer:
        return json.load(answer)


user = {"type": "m.id.user", "user": "ann"}
token = ask(
    "POST", "/login", {"type": "m.login.password", "identifier": user, "password": "secret"}
)["access_token"]
room = ask("POST", "/createRoom", {}, token)["room_id"]
message = {"msgtype": "m.text", "body": "on the wheel"}
ask("PUT", f"/rooms/{room}/send/m.room.message/1", message, token)
said = ask("GET", f"/rooms/{room}/messages?dir=b&limit=1", token=token)["chunk"]
print(said[0]["content"]["body"])
