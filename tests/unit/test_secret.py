"""What a Secret lets out, by every way that a value gets out of a Python program."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import io
import json
import logging
import pickle
import pprint
import traceback

import pytest
import traitlets

from tusk_jupyter.secret import Secret

TEXT = "canary-pässwörd"


@dataclasses.dataclass(frozen=True)
class Holder:
    password: Secret


def printed(secret):
    stream = io.StringIO()
    print(secret, file=stream)
    return stream.getvalue()


def logged(secret):
    stream = io.StringIO()
    record = logging.LogRecord("x", logging.INFO, "", 0, "%s %r", (secret, secret), None)
    logging.StreamHandler(stream).emit(record)
    return stream.getvalue()


def in_a_traceback(secret):
    try:
        return 1 / 0
    except ZeroDivisionError as error:
        return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


SHOWN = {
    "repr": repr,
    "str": str,
    "ascii": ascii,
    "format": format,
    "f-string": lambda s: f"{s} {s!r} {s!s} {s:>40}",
    "str.format": "{0} {0!r}".format,
    "an attribute in a format": "{0.reveal} {0._reveal}".format,
    "%": lambda s: "%s %r" % (s, s),  # noqa: UP031 - the way that is tested
    "print": printed,
    "pprint": lambda s: pprint.pformat({"a": [s]}),
    "containers": lambda s: repr(([s], {s: s}, Holder(s))),
    "logging": logged,
    "a traceback with its locals": in_a_traceback,
    "json with default=str": lambda s: json.dumps(s, default=str),
    "dir and getmembers": lambda s: repr(inspect.getmembers(s)),
    "getstate": lambda s: repr(s.__getstate__()) if hasattr(s, "__getstate__") else "",
}


@pytest.mark.parametrize("show", SHOWN.values(), ids=SHOWN)
def test_what_shows_it_shows_nothing_of_it(show):
    shown = show(Secret(TEXT))
    assert "canary" not in shown
    assert json.dumps(TEXT)[1:-1] not in shown


REFUSED = {
    "pickle": pickle.dumps,
    "pickle 0": lambda s: pickle.dumps(s, 0),
    "pickle within": lambda s: pickle.dumps({"a": Holder(s)}),
    "copy": copy.copy,
    "deepcopy": lambda s: copy.deepcopy([s]),
    "asdict": lambda s: dataclasses.asdict(Holder(s)),
    "astuple": lambda s: dataclasses.astuple(Holder(s)),
    "vars": vars,
    "json": json.dumps,
    "json within": lambda s: json.dumps({"a": [s]}),
    "json key": lambda s: json.dumps({s: 1}),
    "bytes": bytes,
    "len": len,
    "iter": list,
    "int": int,
    "concatenation": lambda s: "password=" + s,
    "join": lambda s: "".join(iter([s])),
    "contains": lambda s: "a" in s,
    "order": lambda s: s < Secret("x"),
    "index": lambda s: s[0],
    "attribute": lambda s: setattr(s, "text", 1),
    "dict": lambda s: s.__dict__,
}


@pytest.mark.parametrize("way", REFUSED.values(), ids=REFUSED)
def test_what_would_take_it_out_raises_and_says_nothing(way):
    with pytest.raises((TypeError, AttributeError)) as caught:
        way(Secret(TEXT))
    assert "canary" not in str(caught.value)


def test_reveal_is_the_way_out():
    assert Secret(TEXT).reveal() == TEXT


def test_equal_by_value_and_only_to_another_secret():
    assert Secret(TEXT) == Secret("canary-" + "pässwörd")
    assert Secret(TEXT) != Secret(TEXT + "x")
    assert Secret("half \ud800") == Secret("half \ud800")
    assert Secret("\ud800") != Secret("\udc00")
    assert Secret(TEXT) != TEXT
    assert Secret(TEXT) != TEXT.encode()
    assert Holder(Secret("a")) == Holder(Secret("a"))


def test_compared_in_constant_time(monkeypatch):
    import hmac

    compared = []
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append((a, b)) or True)
    assert Secret("a") == Secret("b")
    assert compared == [(b"a", b"b")]


def test_the_hash_confirms_no_guess():
    assert hash(Secret(TEXT)) == hash(Secret("another"))
    assert {Secret("a"): 1, Secret("b"): 2}[Secret("b")] == 2


def test_empty_is_false():
    assert not Secret("")
    assert Secret(" ")


def test_text_traits_refuse_it():
    class Model(traitlets.HasTraits):
        text = traitlets.Unicode()
        bytes = traitlets.Bytes()
        cast = traitlets.CUnicode()

    model = Model()
    for name in ("text", "bytes"):
        with pytest.raises(traitlets.TraitError) as caught:
            setattr(model, name, Secret(TEXT))
        assert "canary" not in str(caught.value)
    model.cast = Secret(TEXT)
    assert model.cast == "Secret(****)"


@pytest.mark.parametrize("toolkit", ["ipywidgets", "anywidget"])
@pytest.mark.parametrize("kind", [traitlets.Any, lambda: traitlets.Instance(Secret, allow_none=True), traitlets.Dict])
def test_a_synced_trait_cannot_send_it(toolkit, kind, monkeypatch):
    """With the comm's message made as a kernel makes it, by jupyter_client's own session."""
    import anywidget
    import ipywidgets
    from comm import base_comm
    from jupyter_client.session import Session

    session, sent = Session(key=b"key"), []

    class Comm(base_comm.BaseComm):
        def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
            sent.append(b"".join(session.serialize(session.msg(msg_type, {"data": data, **keys}))))

    monkeypatch.setattr("comm.create_comm", Comm)
    base = {"ipywidgets": ipywidgets.DOMWidget, "anywidget": anywidget.AnyWidget}[toolkit]
    extra = {"_esm": "export default {}"} if toolkit == "anywidget" else {}
    model = type("Model", (base,), {"value": kind().tag(sync=True), "title": traitlets.Unicode().tag(sync=True), **extra})()
    held = {"password": Secret(TEXT)} if kind is traitlets.Dict else Secret(TEXT)
    model.title = "sent"
    assert b"sent" in sent[-1]
    count = len(sent)
    with pytest.raises((TypeError, ValueError)) as caught:
        model.value = held
    assert "canary" not in str(caught.value)
    with pytest.raises((TypeError, ValueError)):
        json.dumps(model.get_state())
    with pytest.raises((TypeError, ValueError)):
        model.send({"value": held})
    assert len(sent) == count
    model.close()
