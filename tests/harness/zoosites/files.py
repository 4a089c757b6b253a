"""Files of a run directory: secrets are readable by their owner only from the moment they exist."""

import json
import os
import secrets


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = path + ".new"
    if os.path.exists(temporary):
        os.unlink(temporary)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as out:
        out.write(text)
    os.replace(temporary, path)
    return path


def write_secret(path, text):
    return write(path, text + "\n", 0o600)


def write_json(path, value, mode=0o644):
    return write(path, json.dumps(value, indent=2) + "\n", mode)


def read_log(path):
    """What a process has said so far, whatever bytes it used."""
    with open(path, errors="replace") as log:
        return log.read()


def read_secret(path):
    with open(path) as secret:
        return secret.readline().rstrip("\n")


def new_password():
    return secrets.token_urlsafe(18)
