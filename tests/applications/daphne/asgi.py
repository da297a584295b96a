from twisted.internet import reactor

import timerwheel

timerwheel.accelerate(reactor)


async def application(scope, receive, send):
    body = repr(timerwheel.status(reactor)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
