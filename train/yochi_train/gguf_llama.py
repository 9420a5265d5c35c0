"""How a GGUF holds a llama: the names of its tensors, and the order of the rows of q and k.

llama.cpp rotates neighbouring rows of q and k together, transformers rotates halves (Su et al. 2021,
RoFormer, arXiv 2104.09864, both forms). A GGUF has its q and k rows permuted for that.
"""

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
# transformers' module of a layer -> llama.cpp's tensor
MATRICES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
NORMS = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}
AROUND = {"embed_tokens": "token_embd", "norm": "output_norm"}  # before the first layer, and after the last


def permute(rows: Matrix, heads: int) -> Matrix:
    """(out, n) rows from transformers' order (halves of a head) to llama.cpp's (pairs), as its converter
    does.
    """
    out, width = rows.shape
    halves = rows.reshape(heads, 2, out // heads // 2, width)
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(out, width))


def unpermute(rows: Matrix, heads: int) -> Matrix:
    """The inverse of `permute`."""
    out, width = rows.shape
    pairs = rows.reshape(heads, out // heads // 2, 2, width)
    return np.ascontiguousarray(pairs.swapaxes(1, 2).reshape(out, width))
