"""
What a role covers, and whose connections somebody sees.
"""

from __future__ import annotations

import pytest

from monitor.judge.access import FULL_ACCESS, Access, Role


@pytest.mark.parametrize(
    ("role", "covered"),
    [
        (Role.VIEWER, {Role.VIEWER}),
        (Role.OPERATOR, {Role.VIEWER, Role.OPERATOR}),
        (Role.ADMIN, {Role.VIEWER, Role.OPERATOR, Role.ADMIN}),
    ],
)
def test_a_role_covers_itself_and_those_before_it(role, covered):
    assert {least for least in Role if role.covers(least)} == covered


@pytest.mark.parametrize(
    ("groups", "seen"),
    [
        (None, {"acme", "globex", None}),
        (frozenset({"acme"}), {"acme"}),
        (frozenset({"acme", "globex"}), {"acme", "globex"}),
        (frozenset(), set()),
    ],
)
def test_whoever_is_limited_sees_their_groups_and_nothing_that_has_none(groups, seen):
    access = Access(Role.VIEWER, groups)
    assert {group for group in ("acme", "globex", None) if access.sees(group)} == seen
    assert access.sees_all is (groups is None)


def test_full_access_is_an_admins():
    assert Access(Role.ADMIN, None) == FULL_ACCESS
