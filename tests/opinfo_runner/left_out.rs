//! The entries that have no call here, by reason. A star stands for any end of a name.

/// Why an entry is left out, if it is.
#[allow(dead_code, reason = "the page of functions lists them")]
pub fn reason(entry: &str) -> Option<&'static str> {
    let is = |name: &&str| match name.strip_suffix('*') {
        Some(start) => entry.starts_with(start),
        None => **name == *entry,
    };
    LEFT_OUT.iter().find(|(_, names)| names.iter().any(&is)).map(|(why, _)| *why)
}

#[rustfmt::skip]
pub const LEFT_OUT: &[(&str, &[&str])] = &[
    ("no toy model, loss or lesson needs it", &[
        "_segment_reduce*", "_upsample_bilinear2d_aa", "block_diag", "cartesian_prod", "cholesky_inverse",
        "cholesky_solve", "combinations", "corrcoef", "cov", "cumulative_trapezoid", "fft.*",
        "frexp", "geqrf", "gradient", "grid_sampler_*", "hash_tensor", "histogram", "histogramdd", "i0",
        "igamma", "igammac", "istft", "ldexp", "linalg.cond",
        "linalg.eig*", "linalg.householder_product", "linalg.ldl_*", "linalg.lstsq*", "linalg.lu*",
        "linalg.matrix_norm", "linalg.matrix_power", "linalg.matrix_rank*", "linalg.matrix_sqrth",
        "linalg.norm*", "linalg.pinv*", "linalg.polar", "linalg.qr", "linalg.svd*", "linalg.tensorinv",
        "linalg.tensorsolve", "linalg.vander", "lu", "lu_solve", "lu_unpack", "matrix_exp", "mode",
        "mvlgamma*", "nextafter", "nn.AdaptiveAvgPool3d", "nn.AdaptiveMaxPool3d", "nn.AvgPool3d",
        "nn.Conv3d", "nn.ConvTranspose3d", "nn.LPPool*", "nn.MaxPool3d",
        "nn.functional.adaptive_avg_pool3d", "nn.functional.adaptive_max_pool3d", "nn.functional.avg_pool3d",
        "nn.functional.conv3d", "nn.functional.conv_transpose3d", "nn.functional.embedding_bag", "nn.functional.grid_sample",
        "nn.functional.interpolate.area", "nn.functional.max_pool3d", "nn.functional.max_unpool*", "norm.nuc",
        "ormqr", "pca_lowrank", "pinverse", "renorm", "rot90", "signal.windows.*", "signbit",
        "special.airy_ai", "special.bessel_*", "special.chebyshev_*", "special.erfcx", "special.hermite_*",
        "special.i0e", "special.i1*", "special.laguerre_*", "special.legendre_*", "special.modified_*",
        "special.scaled_*", "special.shifted_*", "special.spherical_*", "special.zeta", "stft", "svd*",
        "trapezoid", "trapz",
    ]),
    ("complex numbers: a tape holds real ones", &[
        "H", "angle", "cdouble", "cfloat", "chalf", "complex", "conj", "conj_physical", "imag", "isreal",
        "mH", "nn.functional.silu.complex", "polar", "real", "resolve_conj", "resolve_neg", "view_as_complex",
        "view_as_real",
    ]),
    ("sparse tensors", &["sparse.*", "to_sparse"]),
    ("random: draws take the caller's generator, and noise is data", &[
        "bernoulli", "cauchy", "exponential", "geometric", "log_normal", "multinomial",
        "native_dropout_backward", "nn.FractionalMaxPool*", "nn.functional.alpha_dropout",
        "nn.functional.dropout*", "nn.functional.feature_alpha_dropout*",
        "nn.functional.fractional_max_pool*", "nn.functional.rrelu", "normal", "normal.*", "rand*", "uniform",
    ]),
    ("makes a tensor of nothing: `Tensor` has constructors", &[
        "arange", "empty*", "eye", "full", "full_like", "linspace*", "logspace*", "new_*", "ones*",
        "scalar_tensor", "tril_indices", "triu_indices", "zeros*",
    ]),
    ("in place: a tensor never changes behind its holder", &[
        "fill", "index_put", "masked_scatter", "put", "resize_", "resize_as_", "zero_",
    ]),
    ("about memory, or a copy where we have a view", &[
        "alias_copy", "as_strided*", "clone", "contiguous", "diagonal_copy", "expand_copy", "narrow_copy",
        "permute_copy", "split_with_sizes_copy", "squeeze_copy", "t_copy", "transpose_copy", "unbind_copy",
        "unfold_copy", "unsafe_chunk", "unsafe_split", "unsqueeze_copy", "view_copy",
    ]),
    ("a type: a tape computes in one, and integers stay integers", &[
        "bfloat16", "bool", "byte", "char", "double", "float", "half", "int", "long", "short", "to",
    ]),
    ("integers and their bits: `Tensor` and Rust have them", &[
        "__rand__", "__ror__", "__rxor__", "bitwise_*", "gcd", "lcm",
    ]),
    ("without slopes, and a shape that depends on data: it belongs to `Tensor`", &[
        "argwhere", "bincount", "bucketize", "count_nonzero", "histc", "isin", "masked_select",
        "nn.functional.pdist", "nonzero*", "searchsorted", "unique*", "unravel_index",
    ]),
    ("no function of tensors: a number, a shape or a verdict", &[
        "allclose", "broadcast_shapes", "equal", "isclose", "item",
    ]),
    ("another call of what stands under its own name", &[
        "linalg.cholesky_ex", "linalg.inv_ex", "linalg.solve_ex", "slice", "slice_scatter", "triangular_solve",
        "__getitem__", "atleast_*", "bmm.triton_optimized", "column_stack", "diagflat", "dsplit", "dstack",
        "hsplit", "index_reduce*", "masked.*", "nn.LinearCrossEntropyLoss",
        "nn.functional.linear_cross_entropy.chunked*", "nn.functional.triplet_margin_with_distance_loss",
        "tensor_split", "unfold", "vsplit",
    ]),
    ("an inner part of PyTorch", &[
        "_batch_norm_with_update", "_chunk_cat", "_native_batch_norm_legit", "_softmax_backward_data",
        "_unsafe_masked_index*", "jiterator_*", "max_pool2d_with_indices_backward", "native_batch_norm",
        "native_group_norm", "native_layer_norm", "nn.functional.batch_norm.without_cudnn",
        "nn.functional.multi_head_attention_forward", "torch._scaled_mm*", "torch.ops.aten._safe_softmax.default",
        "torch.ops.aten._efficient_attention_forward", "torch.ops.aten._flash_attention_forward",
        "torch.ops.aten._scaled_dot_product_flash_attention_for_cpu",
    ]),
    ("a layer of `nn`, compared in crates/nn/tests/it/torch.rs", &[
        "nn.GRU", "nn.LSTM", "nn.MultiheadAttention", "nn.RNN", "nn.TransformerEncoderLayer",
    ]),
    ("layers of `nn` that are one here, `BatchNorm`", &["nn.BatchNorm*"]),
    ("a layer whose parameters are shaped when it is first called, or made of many", &[
        "nn.GRUCell", "nn.LSTMCell", "nn.Lazy*", "nn.RNNCell", "nn.Transformer",
        "nn.TransformerDecoder*", "nn.TransformerEncoder",
    ]),
];
