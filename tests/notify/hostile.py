"""
Templates that no count of steps or characters bounds.
"""

from __future__ import annotations


def grown(start: str, step: str, end: str) -> str:
    """
    Return a template that makes thirty steps from *start*, and uses what it has then.
    """
    return "{% set l = " + start + " %}" + step * 30 + end


DOUBLED = "{% set l = [l, l] %}"

HOSTILE = {
    "a list twice in itself": grown("[1]", DOUBLED, "{{ l }}"),
    "a list twice in itself, joined": grown("[1]", DOUBLED, "{{ l|join }}"),
    "a list twice in itself, as a text": grown("[1]", DOUBLED, "{{ l|string }}"),
    "a list twice in itself, concatenated": grown("[1]", DOUBLED, "{{ 'a' ~ l }}"),
    "a list twice in itself, in the subject": "Subject: "
    + grown("[1]", DOUBLED, "{{ l }}")
    + "\nx",
    "a table twice in itself": grown("{'a': 1}", "{% set l = {'a': l, 'b': l} %}", "{{ l }}"),
    "two that are compared": "{% set a = [1] %}{% set b = [1] %}"
    + "{% set a = [a, a] %}{% set b = [b, b] %}" * 30
    + "{{ a == b }}",
    "two that are put in order": "{% set a = [1] %}{% set b = [1] %}"
    + "{% set a = [a, a] %}{% set b = [b, b] %}" * 30
    + "{{ [a, b]|sort }}",
    "a search in one": grown("[1]", "{% set l = [l, l] %}", "{{ [2] in [l, l] }}{{ l }}"),
    "lists made again and again": "{% set r = range(10000) %}"
    "{% for i in range(9000) %}{% set x = r|list %}{% endfor %}y",
    "lists put in order again and again": "{% for i in range(9000) %}"
    "{{ (range(10000)|sort)|length }}{% endfor %}",
    "lists side by side": "{% set l = [" + ",".join(["range(10000)|list"] * 3000) + "] %}{{ l }}",
    "brackets": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "blocks in blocks": "{% if 1 %}" * 500 + "{% endif %}" * 500,
    "a long width": '{{ "%1000000000d" % 1 }}',
    "a long range": "{% for a in range(10 ** 9) %}{% endfor %}",
    "a range of ranges": "{% for a in range(9999) %}{{ range(9999)|list }}{% endfor %}",
}
