"""A processor in Python: text statistics, and the types that the full conformance kit asks for."""

from metanode_processor import Failure, Processor

processor = Processor("python-example", concurrency=32)

TEXT = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["text"],
    "properties": {"text": {"type": "string"}},
    "additionalProperties": False,
    "examples": [{"text": "one two\nthree"}, {"text": ""}],
}
STATS = {
    "type": "object",
    "properties": {name: {"type": "integer"} for name in ("characters", "words", "lines", "longest")},
}


@processor.handles("text.stats", schema=TEXT, output=STATS, description="Counts characters, words and lines of a text.")
def text_stats(data, call):
    text = data["text"]
    words = text.split()
    return {
        "characters": len(text),
        "words": len(words),
        "lines": len(text.splitlines()),
        "longest": max((len(word) for word in words), default=0),
    }


@processor.handles("conformance.echo", description="Answers with what it was sent: a JSON value, or bytes.")
def echo(data, call):
    return data


@processor.handles("conformance.fail", description="Fails with the message, and the code if one is given.")
def fail(data, call):
    raise Failure(data.get("code", "processor.failed"), data["message"])


@processor.handles("conformance.sleep", description="Answers `ms` milliseconds later; stops when the call is withdrawn.")
def sleep(data, call):
    call.sleep(data["ms"] / 1000)
    return data["ms"]


@processor.handles("conformance.count", streaming=True, description="Streams 1 to n.")
def count(data, call):
    for number in range(1, data["n"] + 1):
        yield number


@processor.handles("conformance.call", description="Sends the message through the node and answers with the answer.")
def call_back(data, call):
    return call.call(data["type"], data.get("data"))


if __name__ == "__main__":
    processor.serve()
