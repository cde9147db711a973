"""What MLflow's stock client does with webhooks, against the server at URL, which tells a receiver on loopback.

usage: mlflow_webhooks.py URL   (prints what differs from what the client expects, and exits 1 where anything does)
"""
import http.server
import os
import sys
import threading
import time

os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "1"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["GIT_PYTHON_REFRESH"] = "quiet"

import logging
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)

import base64
import hashlib
import hmac
import json

from mlflow import MlflowClient
from mlflow.entities.webhook import WebhookAction, WebhookEntity, WebhookEvent, WebhookStatus
from mlflow.exceptions import MlflowException
from mlflow.webhooks.types import ModelVersionCreatedPayload

SECRET = "between us"
letters = []
problems = []


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        letters.append((dict(self.headers), body))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"thanks")

    def log_message(self, *_):
        pass


def check(what, found, wanted):
    if found != wanted:
        problems.append(f"{what}: {found!r} instead of {wanted!r}")


def refused(what, call, **named):
    try:
        call(**named)
    except MlflowException:
        return
    problems.append(f"{what}: not refused")


receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=receiver.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{receiver.server_port}/hook"
# The client's arguments to its registry's REST store are those of MlflowClient, which asks for the same rights.
client = MlflowClient(sys.argv[1])
created = WebhookEvent(WebhookEntity.MODEL_VERSION, WebhookAction.CREATED)
aliased = WebhookEvent(WebhookEntity.MODEL_VERSION_ALIAS, WebhookAction.CREATED)
hook = client.create_webhook("ci", address, [created], description="builds", secret=SECRET)
check("fields", (hook.name, hook.url, hook.description, hook.status), ("ci", address, "builds", WebhookStatus.ACTIVE))
check("events", hook.events, [created])
check("get", client.get_webhook(hook.webhook_id).webhook_id, hook.webhook_id)
check("list", [h.webhook_id for h in client.list_webhooks()], [hook.webhook_id])
changed = client.update_webhook(hook.webhook_id, events=[created, aliased], description="builds more")
check("changed", (set(map(str, changed.events)), changed.description, changed.name),
      ({str(created), str(aliased)}, "builds more", "ci"))
result = client.test_webhook(hook.webhook_id, created)
check("test", (result.success, result.response_status, result.response_body), (True, 200, "thanks"))
letters.clear()
name = f"hooked {time.time_ns()}"
client.create_registered_model(name)
client.create_model_version(name, "s3://b/m", tags={"a": "b"}, description="first")
client.set_registered_model_alias(name, "best", "1")
end = time.time() + 10
while len(letters) < 2 and time.time() < end:
    time.sleep(0.05)
check("letters", len(letters), 2)
for headers, body in letters:
    text = f"{headers['X-MLflow-Delivery-Id']}.{headers['X-MLflow-Timestamp']}.{body.decode()}"
    wanted = base64.b64encode(hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).digest()).decode()
    check("signature", headers["X-MLflow-Signature"], f"v1,{wanted}")
    document = json.loads(body)
    check("members", set(document), {"entity", "action", "timestamp", "data"})
    if document["entity"] == "model_version":
        check("payload", set(document["data"]), set(ModelVersionCreatedPayload.example()))
        check("data", document["data"], {"name": name, "version": "1", "source": "s3://b/m", "run_id": None,
                                         "tags": {"a": "b"}, "description": "first"})
refused("a name", client.create_webhook, name="-x", url=address, events=[created])
refused("a scheme", client.create_webhook, name="x", url="ftp://a/b", events=[created])
client.delete_webhook(hook.webhook_id)
check("none", len(client.list_webhooks()), 0)
print("\n".join(problems) or "good")
sys.exit(1 if problems else 0)
