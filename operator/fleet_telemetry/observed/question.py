"""The question of a DNS message, and what its header says. The records are not read."""

from __future__ import annotations

from string import ascii_letters, digits
from struct import Struct
from typing import NamedTuple

LONGEST_NAME = 255
"""Bytes of a name in a message, with the length of each label (RFC 1035)."""
LONGEST_LABEL = 63

_HEADER_SIZE = 12
_FLAGS_AND_QUESTIONS = Struct("!2xHH")
_TYPE_AND_CLASS = Struct("!HH")
_RESPONSE = 0x8000
_OPCODE = 0x7800
"""0 is a query; others, such as UPDATE, ask for no address."""
_RCODE = 0x000F
_REFUSED_CODES = (3, 5)
"""NXDOMAIN and REFUSED."""
_INTERNET = 1
_OF_HOSTS = (ascii_letters + digits + "-_.").encode()


class MalformedMessage(Exception):  # noqa: N818  # as in kopf and httpx, the name says what is wrong
    """What the name server reports is no DNS message, or a part of one."""


class DnsQuestion(NamedTuple):
    """What a message asks for, or answers to."""

    name: str
    """In lower case, without a trailing dot."""
    is_answer: bool
    refused: bool
    """NXDOMAIN or REFUSED."""


def read_question(message: bytes) -> DnsQuestion | None:
    """The question of a message; None if it asks for no host's name.

    Takes at most 128 labels. Raises MalformedMessage.
    """
    if len(message) < _HEADER_SIZE:
        raise MalformedMessage
    flags, questions = _FLAGS_AND_QUESTIONS.unpack_from(message)
    if flags & _OPCODE or not questions:
        return None
    if questions > 1:
        raise MalformedMessage
    labels = []
    at = _HEADER_SIZE
    while length := message[at : at + 1]:
        size = length[0]
        if size == 0:
            break
        # A pointer (RFC 1035, 4.1.4) has nothing before the first name to point to.
        if size > LONGEST_LABEL:
            raise MalformedMessage
        labels.append(message[at + 1 : at + 1 + size])
        at += 1 + size
        if at - _HEADER_SIZE >= LONGEST_NAME:
            raise MalformedMessage
    if len(message) - at < 1 + _TYPE_AND_CLASS.size:
        raise MalformedMessage
    _, of_class = _TYPE_AND_CLASS.unpack_from(message, at + 1)
    name = b".".join(labels)
    # A label may have any bytes in it, also dots.
    is_host = labels and name.count(b".") == len(labels) - 1 and not name.translate(None, _OF_HOSTS)
    if of_class != _INTERNET or not is_host:
        return None
    return DnsQuestion(
        name.lower().decode("ascii"), bool(flags & _RESPONSE), (flags & _RCODE) in _REFUSED_CODES
    )
