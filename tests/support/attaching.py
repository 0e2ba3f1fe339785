"""Attach one referrer from a process of its own: ADDRESS NAME SUBJECT TEXT, when stdin closes."""

from __future__ import annotations

import sys

import oras

if __name__ == "__main__":
    address, name, subject, text = sys.argv[1:]
    place = f"{address}/{name}@{subject}"
    with oras.Client() as client:
        client.resolve(place)  # loads the code and connects
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()
        attached = client.attach(
            place, artifact_type="application/vnd.example.note", annotations={"text": text}
        )
        sys.stdout.write(f"{attached.digest}\n")
