"""The graph returns the network's scores, for any length, batch and k."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from infra.models.next_item_graph import best_of, open_graph, padded  # noqa: E402
from training.gru4rec.errors import SequenceError  # noqa: E402
from training.gru4rec.export.onnx_graph import TOLERANCE, export_graph, overlap, parity, quantized  # noqa: E402
from training.gru4rec.network.gru4rec import Gru4Rec  # noqa: E402


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    return Gru4Rec(300, 16, 0.4, 0.4).eval()


@pytest.fixture(scope="module")
def graph_file(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("graph") / "gru4rec.onnx"
    assert export_graph(network, path, opset=17, max_length=30) <= TOLERANCE
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    return path


@pytest.mark.parametrize("k", [1, 7, 300])
def test_best_items_are_those_of_pytorch_in_order(network, graph_file, k):
    sessions = [[5], [1, 2, 3], list(range(200, 260)), [7, 7]]
    scores, indices = best_of(open_graph(graph_file), sessions, k)
    for session, found, best in zip(sessions, indices, scores, strict=True):
        with torch.inference_mode():
            hidden = network.start(1)
            for item in session:
                hidden = network.step(torch.tensor([item]), hidden)
            expected, positions = torch.topk(network.scores(hidden)[0], k)
        np.testing.assert_allclose(best, expected.numpy(), atol=1e-6)
        assert found.tolist() == positions.tolist()


def test_the_values_of_the_padding_have_no_effect(graph_file):
    graph = open_graph(graph_file)
    items, lengths = padded([[5], [1, 2, 3]])
    other = items.copy()
    other[0, 1:] = 299
    found = [graph.run(None, {"items": i, "lengths": lengths, "k": np.array(9)}) for i in (items, other)]
    assert (found[0][1] == found[1][1]).all()
    assert (found[0][0] == found[1][0]).all()


def test_a_graph_of_another_network_is_not_exported(network, graph_file, tmp_path, monkeypatch):
    torch.manual_seed(4)
    other = Gru4Rec(300, 16).eval()
    with pytest.raises(SequenceError, match=r"differs from PyTorch by .* at lengths \[1\]"):
        parity(other, open_graph(graph_file), 30)
    monkeypatch.setattr("training.gru4rec.export.onnx_graph.open_graph", lambda _: open_graph(graph_file))
    with pytest.raises(SequenceError, match="not exported"):
        export_graph(other, tmp_path / "wrong.onnx", opset=17, max_length=5)
    assert list(tmp_path.iterdir()) == []


def test_a_difference_at_only_one_length_is_found(network, graph_file):
    class Off:
        def run(self, outputs, feed):
            scores, indices = open_graph(graph_file).run(outputs, feed)
            return (scores + 0.01 * (feed["lengths"].max() == 20), indices)

    assert parity(network, Off(), 10) <= TOLERANCE
    with pytest.raises(SequenceError, match=r"at lengths \[20\]"):
        parity(network, Off(), 20)


def test_the_int8_graph_returns_mostly_the_same_items(graph_file, tmp_path):
    quantized(graph_file, tmp_path / "small.onnx")
    full, small = open_graph(graph_file), open_graph(tmp_path / "small.onnx")
    rng = np.random.default_rng(1)
    sessions = [rng.integers(0, 300, length).tolist() for length in (1, 2, 3, 5, 8, 13)]
    assert overlap(full, full, sessions, 20) == 1.0
    assert 0.8 < overlap(full, small, sessions, 20) <= 1.0
    matrices = [m for m in onnx.load(tmp_path / "small.onnx").graph.initializer if len(m.dims) == 2 and 300 in m.dims]
    # The item matrix that is read and the one that scores; the bias has one column, so it is not among these.
    kinds = [m.data_type for m in matrices if 16 in m.dims]
    assert len(kinds) == 2
    assert set(kinds) <= {onnx.TensorProto.INT8, onnx.TensorProto.UINT8}
    assert [p.name for p in tmp_path.iterdir()] == ["small.onnx"]
