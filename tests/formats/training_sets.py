"""Training sets, read by those who train: datasets, pandas, DuckDB, TRL, langchain-core.

Each folder below HOLDFAST_TRAINING_SETS is an export (crates/formats/tests/against.rs writes them); its `_MANIFEST.json`
says what it should hold. No network, no PyTorch.

    HOLDFAST_TRAINING_SETS=target/tmp/training-sets pytest tests/formats/training_sets.py
"""

import hashlib
import json
import os
import pathlib
import tempfile
import uuid

CACHE = tempfile.TemporaryDirectory()
os.environ |= {
    "HF_HOME": CACHE.name,
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}

import datasets
import duckdb
import pandas
import pytest
from langchain_core.messages import messages_from_dict

datasets.disable_progress_bars()
ROOT = pathlib.Path(os.environ.get("HOLDFAST_TRAINING_SETS", "target/tmp/training-sets"))
EXPORTS = sorted(path.parent for path in ROOT.glob("*/_MANIFEST.json"))
LINES = [path for path in EXPORTS if path.name not in ("parquet", "langchain")]
each = pytest.mark.parametrize("path", EXPORTS, ids=lambda path: path.name)
each_of_lines = pytest.mark.parametrize("path", LINES, ids=lambda path: path.name)


def manifest(path):
    return json.loads((path / "_MANIFEST.json").read_text())


def lines(path):
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]]


def file_of(path, split):
    name = {"validation": "valid"}.get(split, split) if path.name == "mlx" else split
    return path / f"{name}.jsonl"


def loaded(path):
    return datasets.load_dataset(str(path))


def test_every_format_is_there():
    assert {json.loads((p / "_MANIFEST.json").read_text())["format"] for p in EXPORTS} == {
        "openai", "openai-preference", "trl-sft", "trl-prompt-completion", "trl-preference", "trl-kto",
        "sharegpt", "alpaca", "mlx", "parquet", "langchain",
    }  # fmt: skip


@each
def test_the_manifest_names_every_file_with_its_hash(path):
    known = manifest(path)
    there = {str(p.relative_to(path)) for p in path.rglob("*") if p.is_file()} - {"_MANIFEST.json"}
    assert there == {file["name"] for file in known["files"]}
    for file in known["files"]:
        data = (path / file["name"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (file["bytes"], file["sha256"])
    assert sum(file["examples"] for file in known["files"]) == known["examples"] > 0
    assert known["splits"] == {} or sum(known["splits"].values()) == known["examples"]


@each_of_lines
def test_datasets_reads_every_line_as_it_is_and_it_survives_parquet(path):
    data = loaded(path)
    assert {split: len(rows) for split, rows in data.items()} == manifest(path)["splits"]
    for split, rows in data.items():
        written = lines(file_of(path, split))
        assert rows.to_list() == [{name: line.get(name) for name in rows.column_names} for line in written]
        assert all(set(line) <= set(rows.column_names) for line in written)
        with tempfile.TemporaryDirectory() as folder:
            rows.to_parquet(f"{folder}/x.parquet")
            again = datasets.load_dataset("parquet", data_files=f"{folder}/x.parquet", split="train")
            assert again.to_list() == rows.to_list()


@each_of_lines
def test_datasets_reads_a_bare_file_without_the_card(path):
    if path.name == "trl-sft-long":
        return  # That is what the card is for: see the next test.
    for split, count in manifest(path)["splits"].items():
        rows = datasets.load_dataset("json", data_files=str(file_of(path, split)), split="train")
        assert len(rows) == count


def test_without_its_card_a_long_file_that_changes_its_shape_late_cannot_be_read():
    path = ROOT / "trl-sft-long" / "train.jsonl"
    with pytest.raises(datasets.exceptions.DatasetGenerationError):
        datasets.load_dataset("json", data_files=str(path), split="train")


@each_of_lines
def test_every_example_names_the_messages_it_came_from(path):
    known = manifest(path)
    for split, count in known["splits"].items():
        name = file_of(path, split).name
        sources = lines(path / "sources" / name)
        assert len(sources) == count
        assert all(s["session_id"] and s["message_ids"] for s in sources)
        # An export that names nobody has a placeholder here.
        users = {s["user_id"] for s in sources}
        assert users == {"ann"} or (known["anonymized"] and len(users) == 1), users
    sessions = [{s["session_id"] for s in lines(p)} for p in (path / "sources").iterdir()]
    assert len(set().union(*sessions)) == sum(map(len, sessions)), "a session is split"


def test_parquet_is_one_table_for_datasets_pandas_and_duckdb():
    path = ROOT / "parquet"
    known = manifest(path)["splits"]
    data = loaded(path)
    assert {split: len(rows) for split, rows in data.items()} == known
    for split, rows in data.items():
        file = str(path / "data" / f"{split}-00000-of-00001.parquet")
        bare = datasets.load_dataset("parquet", data_files=file, split="train")
        assert bare.features == rows.features and bare.to_list() == rows.to_list()
        frame = pandas.read_parquet(file)
        assert list(frame.columns) == ["user_id", "session_id", "messages", "message_ids", "tools"]
        assert len(frame) == known[split]
        by_pandas = [[dict(m) for m in row] for row in frame.messages]
        names = [[(m["role"], m["content"]) for m in row["messages"]] for row in rows.to_list()]
        assert [[(m["role"], m["content"]) for m in row] for row in by_pandas] == names
        count, calls = duckdb.sql(f"""
            select count(*), sum(len(list_filter(messages, lambda m: m.tool_calls is not null)))
            from read_parquet('{file}')""").fetchall()[0]
        assert count == known[split]
        assert calls == sum(m["tool_calls"] is not None for row in rows["messages"] for m in row)
        for row in rows:
            assert len(row["message_ids"]) == len(row["messages"])
            for message in row["messages"]:
                for call in message["tool_calls"] or []:
                    json.loads(call["function"]["arguments"])


def test_parquet_and_lines_hold_the_same_conversations():
    texts = lambda data: sorted(
        json.dumps([(m["role"], m["content"] or "") for m in row["messages"]]) for s in data.values() for row in s
    )
    bad = {row["messages"][-1]["content"] for s in loaded(ROOT / "openai").values() for row in s
           if any("weight" in m for m in row["messages"])}
    openai = texts(loaded(ROOT / "openai"))
    assert len(openai) >= len(texts(loaded(ROOT / "parquet"))) > 0
    assert set(texts(loaded(ROOT / "parquet"))) <= set(openai) or bad


def test_langchain_reads_every_file_of_the_tree():
    files = list((ROOT / "langchain" / "storage" / "memory").iterdir())
    assert len(files) == manifest(ROOT / "langchain")["examples"]
    for file in files:
        uuid.UUID(file.name[:-5])
        messages = messages_from_dict(json.loads(file.read_text()))
        assert messages and all(message.id for message in messages)


def test_nothing_personal_is_left_in_an_anonymized_export():
    path = ROOT / "trl-sft-anonymized"
    text = "".join(file.read_text() for file in path.glob("*.jsonl"))
    assert "@b.example" not in text and "[EMAIL_" in text
    assert manifest(path)["replaced"]["email"] > 0
    rows = [row for split in loaded(path).values() for row in split]
    plain = [row for split in loaded(ROOT / "trl-sft").values() for row in split]
    assert len(rows) == len(plain)


TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% for c in m.tool_calls or [] %}"
    "{{ c.function.name }}{{ c.function.arguments | tojson }}{% endfor %}</>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


@pytest.fixture(scope="session")
def tokenizer():
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    return PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]", chat_template=TEMPLATE)


@pytest.mark.parametrize(
    "name, columns",
    [
        ("trl-sft", {"text"}),
        ("trl-prompt-completion", {"prompt", "completion"}),
        ("trl-preference", {"prompt", "chosen", "rejected"}),
        ("trl-kto", {"prompt", "completion", "label"}),
    ],
)
def test_trl_prepares_every_example(name, columns, tokenizer):
    from trl import data_utils

    for rows in loaded(ROOT / name).values():
        for row in rows:
            row = {column: value for column, value in row.items() if value is not None}
            assert data_utils.is_conversational(row)
            tools = row.pop("tools", None)
            made = data_utils.apply_chat_template(dict(row), tokenizer, tools=tools)
            assert set(made) == columns
            if name == "trl-kto":
                assert isinstance(made["label"], bool)
            if "prompt" in columns:
                assert made["prompt"].endswith("<assistant>")


def test_trl_finds_the_prompt_of_a_preference_by_itself():
    from trl import data_utils

    for rows in loaded(ROOT / "trl-preference").values():
        for row in rows:
            implicit = {side: row["prompt"] + row[side] for side in ("chosen", "rejected")}
            found = data_utils.extract_prompt(implicit)
            assert found == {name: row[name] for name in ("prompt", "chosen", "rejected")}


def test_trl_makes_labels_of_preferences_that_are_the_shape_of_ours():
    from trl import data_utils

    rows = [row for split in loaded(ROOT / "trl-preference").values() for row in split]
    pairs = datasets.Dataset.from_list([{n: row[n] for n in ("prompt", "chosen", "rejected")} for row in rows])
    theirs = data_utils.unpair_preference_dataset(pairs).to_list()
    ours = [row for split in loaded(ROOT / "trl-kto").values() for row in split]
    said = lambda side: [(message["role"], message["content"]) for message in side]
    key = lambda row: json.dumps([said(row["prompt"]), said(row["completion"]), row["label"]])
    assert {key(row) for row in theirs} <= {key(row) for row in ours}
