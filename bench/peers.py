"""What others need for the same messages: LangChain's loader of a history, and the writer of `datasets`.

Usage: peers.py FOLDER MESSAGES. Prints one JSON object: messages a second of each.
"""

import json
import pathlib
import sys
import time

from datasets import Dataset
from langchain_core.messages import messages_from_dict

SESSION = 1000
WORDS = "the harbour is closed on monday so we take the train and ask for a table near the water".split()


def said(number: int) -> str:
    return " ".join(WORDS[(number * 7 + at) % len(WORDS)] for at in range(30))


def main(folder: pathlib.Path, messages: int) -> None:
    sessions = [
        [
            {"type": "human" if n % 2 == 0 else "ai", "data": {"content": said(first + n)}}
            for n in range(min(SESSION, messages - first))
        ]
        for first in range(0, messages, SESSION)
    ]
    files = []
    for number, session in enumerate(sessions):
        path = folder / f"{number}.json"
        path.write_text(json.dumps(session))
        files.append(path)
    begun = time.perf_counter()
    loaded = sum(len(messages_from_dict(json.loads(path.read_text()))) for path in files)
    langchain = loaded / (time.perf_counter() - begun)
    assert loaded == messages

    roles = {"human": "user", "ai": "assistant"}
    rows = [
        {"messages": [{"role": roles[m["type"]], "content": m["data"]["content"]} for m in session[at : at + 2]]}
        for session in sessions
        for at in range(0, len(session), 2)
    ]
    begun = time.perf_counter()
    Dataset.from_list(rows).to_json(folder / "train.jsonl")
    datasets = messages / (time.perf_counter() - begun)
    print(json.dumps({"langchain": langchain, "datasets": datasets}))


main(pathlib.Path(sys.argv[1]), int(sys.argv[2]))
