"""The join properties detect each rule of the join that is broken on purpose."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from feature_repo.offline import join_sql, point_in_time
from tests.feature_repo.offline.cases import Case
from tests.feature_repo.offline.retrieval import check
from tests.feature_repo.offline.strategies import cases
from tests.mutation import Mutation, mutated

MAX_EXAMPLES = 1_000


MUTATIONS = {
    "bound: a row with the same timestamp is not found": Mutation(
        join_sql, "newest_version(source, 'e.t')", "newest_version(source, '(e.t - 1)')"
    ),
    "bound: a row known at the same timestamp is not found": Mutation(join_sql, "e.t >= s.visible", "e.t > s.visible"),
    "tie: the oldest created row wins": Mutation(join_sql, "+ {created}", "- {created}"),
    "tie: an unknown created time is the newest": Mutation(join_sql, ", {UNKNOWN_CREATED})", ", {2**63 - 1})"),
    "ttl: nothing expires": Mutation(join_sql, 'if ttl_us else "true"', 'if False else "true"'),
    "ttl: expired at equality": Mutation(join_sql, "+ {ttl_us} >= e.t", "+ {ttl_us} > e.t"),
    "ttl: rows of the oldest entity row's ttl are not read": Mutation(
        point_in_time, "first - view.ttl_us if", "first if"
    ),
    "duplicates: equal entity rows become one": Mutation(
        point_in_time,
        "        table = chunk\n",
        "        rows = [str(row) for row in chunk.to_pylist()]\n"
        "        table = chunk = chunk.take([i for i, row in enumerate(rows) if row not in rows[:i]])\n",
    ),
    "order: features stay in the order of the join": Mutation(
        point_in_time, "positions[found[ROW].to_numpy()]", "positions[np.sort(found[ROW].to_numpy())]"
    ),
    "known at: ignored": Mutation(join_sql, "if source.known_at_us is not None:", "if False:"),
    "known at: the same timestamp is too late": Mutation(join_sql, "known <= {source", "known < {source"),
    "known when scored: an older version that became known later wins": Mutation(
        join_sql, "QUALIFY version >=", "QUALIFY 1 = 1 OR version >="
    ),
    "keys: only the first key is compared": Mutation(
        join_sql,
        'AND " for i in range(len(source.keys)))\n    if known',
        'AND " for i in range(min(1, len(source.keys))))\n    if known',
    ),
    "files: rows with the same number in two files are confused": Mutation(
        join_sql, 'else f"s.{FILE} = c.file AND {row}"', "else row"
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_properties_detect_a_broken_rule(name: str) -> None:
    @settings(
        max_examples=MAX_EXAMPLES,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(cases())
    def property_of_the_join(case: Case) -> None:
        check(case)

    with mutated(MUTATIONS[name]), pytest.raises(AssertionError, match="rows are not the oracle's"):
        property_of_the_join()


def test_a_mutation_is_undone_at_the_end() -> None:
    before = join_sql.within_ttl(5)
    with mutated(MUTATIONS["ttl: expired at equality"]):
        assert join_sql.within_ttl(5) != before
    assert join_sql.within_ttl(5) == before
