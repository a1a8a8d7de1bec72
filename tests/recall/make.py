#!/usr/bin/env python3
"""Write `messages.jsonl` and `questions.jsonl` from `source/`; with `--check`, verify them and their counts.

Only the standard library is needed; if `snowballstemmer` is installed, `--check` applies it as a second opinion.
The authoring form is described in README.md.
"""
import collections
import datetime
import hashlib
import json
import pathlib
import re
import sys

import stem

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE / "source"
MONTHS = ("january february march april may june july august september october november december").split()
SEASONS = {"@summer": range(5, 10), "@winter": (10, 11, 12, 1, 2, 3)}
LINE = re.compile(r"^([A-Z])(?:\*([a-z0-9]+))?: (.+)$")
QUESTION = re.compile(r"^\?([wu]?)(?: ([a-z0-9+]+))?: (.+)$")
ROLE_WORDS = re.compile(
    r"\b(?:did you|you|did i|i|had i|have i|had you|have you)\s+(?:\w+ly\s+)?(?:say|said|suggest|suggested|tell|told|"
    r"recommend|recommended|advise|advised|mention|mentioned|explain|explained|warn|warned|ask|asked|propose|proposed|"
    r"give me|gave me|offer|offered|describe|described|complain|complained|report|reported|admit|admitted)\b", re.I)
LEAST = {"messages": 2000, "questions": 200, "no-shared-stem": 60, "unanswerable": 20, "dated": 20, "names-speaker": 30,
         "wrong-person": 15, "multi": 20, "paraphrase": 30, "plain": 30, "names-role": 10, "in-context": 30,
         "fact messages": 250, "pool lines": 500, "days covered": 365}
MAX_BYTES = 1_500_000


def draw(*key):
    """A fixed pseudo-random number for a key, the same on every machine and Python."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, key)).encode()).digest()[:8], "big")


def read_pool(name):
    """Exchanges of a pool file as (months, lines): blocks of `A: …` lines, a season before them or none."""
    pool = []
    for block in (SOURCE / name).read_text(encoding="utf-8").split("\n\n"):
        found = [x for x in block.splitlines() if x and not x.startswith("#")]
        months = SEASONS[found.pop(0)] if found and found[0] in SEASONS else range(1, 13)
        if found:
            pool.append((months, [(x[0], x[3:]) for x in found if x[1:3] == ": " or sys.exit(f"{name}: bad {x!r}")]))
    return pool


def read_archive(path):
    """One archive: its header, sessions as (start, items), questions as (wrong, labels, text)."""
    head, sessions, questions = {"speakers": {}}, [], []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        if line.startswith("--- "):
            sessions.append((datetime.datetime.fromisoformat(line[4:]), []))
        elif line.startswith("~"):
            sessions[-1][1].append(int(line[1:] or 1))
        elif found := QUESTION.match(line):
            questions.append((found[1] == "w", found[2].split("+") if found[2] else [], found[3]))
        elif sessions and (found := LINE.match(line)):
            sessions[-1][1].append((found[1], found[2], found[3]))
        elif not sessions and " = " in line:
            head["speakers"].update([line.split(" = ")])
        elif not sessions and ": " in line:
            head.update([line.split(": ", 1)])
        else:
            sys.exit(f"{path.name}:{number}: cannot read {line!r}")
    return head, sorted(sessions, key=lambda x: x[0]), questions


def exchange(user, letters, order, pool, month):
    """The next exchange of the pool that fits the month, spoken by two of the archive's people."""
    fits = [i for i in order if month in pool[i][0]]
    if not fits:
        sys.exit(f"{user}: asks for more exchanges than its pool has")
    order.remove(fits[0])
    first = draw(user, "speaker", fits[0]) % len(letters)
    turn = {} if "U" in letters else {"A": letters[first], "B": letters[(first + 1) % len(letters)]}
    return [(turn.get(who, who), None, text) for who, text in pool[fits[0]][1]]


def spread(user, speakers, sessions, pool):
    """Lines of each session, with the exchanges that `~n` asks for, in the order fixed by the user's name."""
    order = sorted(range(len(pool)), key=lambda i: draw(user, "pool", i))
    for start, items in sessions:
        lines = []
        for item in items:
            if isinstance(item, int):
                for _ in range(item):
                    lines += exchange(user, list(speakers), order, pool, start.month)
            else:
                lines.append(item)
        yield start, lines


def messages_of(head, sessions, pools):
    """Messages of one archive in order, and the message id of every label."""
    user, speakers = head["user"], head["speakers"]
    chat = head["kind"] == "assistant"
    out, labels = [], {}
    for s, (now, lines) in enumerate(spread(user, speakers, sessions, pools[head["kind"]]), 1):
        session = f"{user}-{s:02}"
        for i, (letter, label, text) in enumerate(lines, 1):
            role = "assistant" if letter == "A" and chat else "user"
            message = {"user": user, "session": session, "id": f"{session}-{i:03}", "role": role}
            if not chat:
                message["name"] = speakers[letter]
            message["content"] = text
            message["event_time"] = now.strftime("%Y-%m-%dT%H:%M:%SZ")
            out.append(message)
            if label:
                if label in labels:
                    sys.exit(f"{user}: label {label} twice")
                labels[label] = message["id"]
            now += datetime.timedelta(seconds=4 + draw(user, s, i) % (14 if role == "user" and chat else 110))
    return out, labels


def dated(question, evidence):
    """Does the question name a year, month or day of one of its evidence messages?"""
    asked = re.findall(r"[a-z]+|\d+", question.lower())
    months = [MONTHS.index(w) + 1 for w in asked if w in MONTHS and (w != "may" or "May" in question)]
    years = [int(w) for w in asked if re.fullmatch("20[0-9][0-9]", w)]
    whens = [datetime.datetime.fromisoformat(m["event_time"][:-1]) for m in evidence]
    return bool(months or years) and any(
        (not months or w.month in months) and (not years or w.year in years) for w in whens)


def leans(asked, evidence, own):
    """Do the two messages on each side of the evidence, not itself, hold most of what the question asks with?"""
    at = [own.index(m) for m in evidence]
    around = " ".join(m["content"] for i in at for m in own[max(0, i - 2):i + 3] if m["session"] == own[i]["session"])
    alone = asked & stem.stems(" ".join(m["content"] for m in evidence))
    return len(asked & stem.stems(around)) - len(alone) >= max(1, len(asked) / 3)


def kinds(wrong, question, evidence, names, own):
    """What the question is, derived from its text and its evidence; only `wrong-person` is the author's word."""
    if not evidence:
        return ["unanswerable"]
    text = " ".join(m["content"] for m in evidence)
    asked = stem.stems(question) - {stem.porter(n.lower()) for n in names}
    named = {n for n in names if re.search(rf"\b{n}\b", question)}
    share = len(asked & stem.stems(text)) / max(1, len(asked))
    none = not stem.shared(question, text)
    out = ["no-shared-stem" if none else "paraphrase" if share <= 1 / 3 else "plain"]
    out += ["in-context"] if leans(asked, evidence, own) else []
    out += ["dated"] if dated(question, evidence) else []
    out += ["wrong-person"] if wrong else []
    out += ["names-speaker"] if named and named == {m.get("name") for m in evidence} else []
    out += ["names-role"] if not names and ROLE_WORDS.search(question) else []
    return out + (["multi"] if len(evidence) > 1 else [])


def build():
    """All messages, all questions, and the counts that no output file shows."""
    pools = {"friends": read_pool("pool-friends.txt"), "assistant": read_pool("pool-assistant.txt")}
    messages, questions, facts = [], [], 0
    for path in sorted(SOURCE.glob("archive-*.txt")):
        head, sessions, asked = read_archive(path)
        own, labels = messages_of(head, sessions, pools)
        by_id = {m["id"]: m for m in own}
        names = sorted({m["name"] for m in own if "name" in m})
        for n, (wrong, wanted, text) in enumerate(asked, 1):
            unknown = [x for x in wanted if x not in labels]
            if unknown:
                sys.exit(f"{path.name}: no message is labelled {unknown}")
            evidence = [by_id[labels[x]] for x in wanted]
            questions.append({"id": f"{head['user']}-q{n:03}", "user": head["user"], "question": text,
                              "evidence": [m["id"] for m in evidence],
                              "kind": kinds(wrong, text, evidence, names, own)})
        messages += own
        facts += len(labels)
    pool_lines = {text for pool in pools.values() for _, block in pool for _, text in block}
    return messages, questions, {"fact messages": facts, "pool lines": len(pool_lines)}


def lines(items):
    return "".join(json.dumps(x, ensure_ascii=False) + "\n" for x in items)


def counts(messages, questions, more):
    """Every count that README.md promises."""
    table = collections.Counter(kind for q in questions for kind in q["kind"])
    days = sorted(m["event_time"][:10] for m in messages)
    span = datetime.date.fromisoformat(days[-1]) - datetime.date.fromisoformat(days[0])
    return {"messages": len(messages), "users": len({m["user"] for m in messages}),
            "sessions": len({m["session"] for m in messages}), "questions": len(questions),
            "evidence messages": len({e for q in questions for e in q["evidence"]}),
            **more, "days covered": span.days, **dict(table.most_common())}


def problems(messages, questions, table):
    """What is wrong with the set itself, as sentences."""
    for what, least in LEAST.items():
        if table.get(what, 0) < least:
            yield f"{what}: {table.get(what, 0)}, wanted at least {least}"
    for (user, text), n in collections.Counter((m["user"], m["content"]) for m in messages).items():
        if n > 1:
            yield f"{user}: {n} messages say {text!r}"
    for a, b in zip(messages, messages[1:]):
        if a["user"] == b["user"] and a["event_time"] >= b["event_time"]:
            yield f"{b['id']} is not later than {a['id']}"
    texts = collections.Counter(q["question"] for q in questions)
    yield from (f"asked twice: {text!r}" for text, n in texts.items() if n > 1)
    by_id = {m["id"]: m for m in messages}
    for q in questions:
        sessions = {by_id[e]["session"] for e in q["evidence"]}
        if "multi" in q["kind"] and len(sessions) != len(q["evidence"]):
            yield f"{q['id']}: its evidence is not in different sessions"
        if "wrong-person" in q["kind"]:
            said = {by_id[e].get("name") for e in q["evidence"]}
            if any(re.search(rf"\b{name}\b", q["question"]) for name in said):
                yield f"{q['id']}: the person named is the right one"
    yield from second_opinion(by_id, questions)


def second_opinion(by_id, questions):
    """Shared stems that Snowball's English stemmer sees and ours does not."""
    try:
        import snowballstemmer
    except ImportError:
        print("(snowballstemmer is not installed: only the Porter stemmer of stem.py was asked)")
        return
    snowball = snowballstemmer.stemmer("english")
    for q in questions:
        if "no-shared-stem" in q["kind"]:
            text = " ".join(by_id[e]["content"] for e in q["evidence"])
            if both := stem.shared(q["question"], text, snowball.stemWord):
                yield f"{q['id']}: shares {both} by the Snowball stemmer"


def main():
    messages, questions, more = build()
    files = {HERE / "messages.jsonl": lines(messages), HERE / "questions.jsonl": lines(questions)}
    if "--check" not in sys.argv[1:]:
        for path, text in files.items():
            path.write_text(text, encoding="utf-8")
        return
    table = counts(messages, questions, more)
    for what, n in table.items():
        print(f"{what:20} {n:5}" + (f"   (at least {LEAST[what]})" if what in LEAST else ""))
    wrong = list(problems(messages, questions, table))
    for path, text in files.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            wrong.append(f"{path.name} is not what make.py writes: run make.py")
    size = sum(p.stat().st_size for p in HERE.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    print(f"{'bytes':20} {size:5}   (at most {MAX_BYTES})")
    wrong += [f"{size} bytes are too many"] if size > MAX_BYTES else []
    for problem in wrong:
        print("problem:", problem)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
