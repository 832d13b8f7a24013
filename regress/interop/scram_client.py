# Logs in by smtplib with SCRAM of aiosasl: scram_client.py PORT CA USER PASSWORD
# A server that answers with a false signature is a failure as well.
import asyncio
import base64
import smtplib
import ssl
import sys

import aiosasl


class Smtp(aiosasl.SASLInterface):
    def __init__(self, smtp):
        self.smtp = smtp

    def step(self, line):
        code, text = self.smtp.docmd(line)
        if code == 334:
            return aiosasl.SASLState.CHALLENGE, base64.b64decode(text)
        if code == 235:
            return aiosasl.SASLState.SUCCESS, None
        raise aiosasl.SASLFailure(str(code))

    async def initiate(self, mechanism, payload=None):
        more = "" if payload is None else " " + self.b64(payload)
        return self.step("AUTH " + mechanism + more)

    async def respond(self, payload):
        return self.step(self.b64(payload))

    async def abort(self):
        self.smtp.docmd("*")
        return aiosasl.SASLState.FAILURE, None

    @staticmethod
    def b64(octets):
        return base64.b64encode(octets).decode()


async def login(smtp, user, password):
    async def credentials():
        return user, password

    machine = aiosasl.SASLStateMachine(Smtp(smtp))
    mechanism = aiosasl.SCRAM(credentials)
    offered = smtp.esmtp_features["auth"].split()
    token = mechanism.any_supported(offered)
    print("mechanism", token[0] if isinstance(token, tuple) else token)
    await mechanism.authenticate(machine, token)


def main():
    port, ca, user, password = sys.argv[1:]
    with smtplib.SMTP("localhost", int(port), timeout=60) as smtp:
        smtp.starttls(context=ssl.create_default_context(cafile=ca))
        smtp.ehlo()
        try:
            asyncio.run(login(smtp, user, password))
        except aiosasl.AuthenticationFailure as why:
            print("refused", why)
            return 1
        print("in")
        code, text = smtp.docmd("NOOP")
        return 0 if code == 250 else 2


sys.exit(main())
