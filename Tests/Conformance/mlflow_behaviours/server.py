"""A real MLflow server on SQLite, for as long as it is needed."""
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time


class RealServer:
    """`mlflow server` with one worker on a free port of this machine, in a folder of its own; stopped with all it started."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="mlflow-")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        root = self.folder.name
        self.log = open(f"{root}/log", "w+")
        environment = dict(
            os.environ, MLFLOW_DISABLE_TELEMETRY="true", GIT_PYTHON_REFRESH="quiet",
            MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{root}/store.db",
             "--artifacts-destination", f"{root}/artifacts", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
            cwd=root, env=environment, stdout=self.log, stderr=self.log, start_new_session=True)
        deadline = time.monotonic() + 120
        while not self.answers(port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.log.seek(0)
                text = self.log.read()
                self.__exit__()
                raise SystemExit(f"MLflow's own server did not start:\n{text[-2000:]}")
            time.sleep(0.1)
        return self

    @staticmethod
    def answers(port):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except OSError:
            return False

    def __exit__(self, *_):
        # It starts processes of its own; the session it leads is theirs too.
        for ask in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, ask)
                self.process.wait(timeout=10)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        self.log.close()
        self.folder.cleanup()
