"""/metrics through the parser of Prometheus' own client for Python, which we did not write.

    HOLDFAST_URL, HOLDFAST_KEY: the host
"""

import os
import urllib.error
import urllib.request

from prometheus_client.parser import text_string_to_metric_families as families

URL, KEY = os.environ["HOLDFAST_URL"], os.environ["HOLDFAST_KEY"]


def ask(path, key=None):
    request = urllib.request.Request(URL + path)
    if key:
        request.add_header("Authorization", f"Bearer {key}")
        request.add_header("Holdfast-User", "scraped")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.headers["Content-Type"], refused.read().decode()


def scrape():
    """Samples by name and labels; every family says what it is and what it counts."""
    kind, text = ask("/metrics")
    assert kind.startswith("text/plain; version=0.0.4"), kind
    samples = {}
    for family in families(text):
        assert family.type != "unknown", f"{family.name} has no type"
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in samples, f"{key} stands twice"
            samples[key] = sample.value
    return samples


before = scrape()
ask("/v1/sessions", KEY)
ask("/v1/sessions/none", KEY)
after = scrape()
gone = [key for key in before if key not in after]
assert not gone, gone
grown = {key[0] for key in after if after[key] > before.get(key, 0)}
assert any(name.startswith("holdfast_") and "request" in name for name in grown), grown
buckets = {}
for (name, labels), value in after.items():
    if name == "holdfast_request_seconds_bucket":
        of = dict(labels)
        buckets.setdefault(of["component"], []).append((float(of["le"]), value))
assert "manage-sessions" in buckets, buckets.keys()
for component, counts in buckets.items():
    values = [value for _, value in sorted(counts)]
    assert values == sorted(values), f"the buckets of {component} are not cumulative"
    assert values[-1] == after["holdfast_request_seconds_count", (("component", component),)]
print(f"a scrape is read: {len(after)} samples")
