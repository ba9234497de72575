"""The rankers' metrics as a table of a page."""

from training.evaluation.bootstrap import Interval
from training.evaluation.rankers_table import rankers_table


def test_the_deciding_metric_is_the_first_column_and_the_best_of_each_is_marked():
    metrics = {"ndcg@10": Interval(0.1, 0.0, 0.2, 3), "recall@25": Interval(0.3, 0.2, 0.4, 3)}
    better = {"ndcg@10": Interval(0.2, 0.1, 0.3, 3), "recall@25": Interval(0.2, 0.1, 0.3, 3)}
    found = rankers_table({"a": metrics, "b": better}, "recall@25")
    assert "<th>ranker</th><th>recall@25</th><th>ndcg@10</th>" in found
    assert "<td>b</td><td>0.200 [0.100, 0.300]</td><td class=best>0.200 [0.100, 0.300]</td>" in found
    assert "<td>a</td><td class=best>0.300 [0.200, 0.400]</td><td>0.100 [0.000, 0.200]</td>" in found
