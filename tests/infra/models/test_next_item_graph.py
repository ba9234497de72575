"""Running an exported next-item graph; that it returns the network's scores is tested with the export."""

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from infra.models.next_item_graph import padded


def test_sessions_are_padded_with_zeros_at_the_right():
    items, lengths = padded([[5], [1, 2, 3], [7, 8]])
    assert items.tolist() == [[5, 0, 0], [1, 2, 3], [7, 8, 0]]
    assert lengths.tolist() == [1, 3, 2]
    assert items.dtype == lengths.dtype == np.int64


def test_the_graph_can_be_used_without_torch():
    code = "import sys; sys.modules['torch'] = None; sys.modules['onnx'] = None; import infra.models.next_item_graph"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
