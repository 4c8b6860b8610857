"""Operations of PyTorch that only compute: those that a stranger's program may use.

A list of what is allowed, because no list of what is dangerous stays complete: of the operations
that PyTorch registers as ``aten``, some map or write files (``from_file``, ``save``), reach other
machines (``to_here``, ``get_gradients``), change what all of the process shares (``manual_seed``,
``set_grad_enabled``), run kernels from elsewhere (``_triton_multi_head_attention``), or reinterpret
memory (``as_strided``, ``set_``, ``resize_``). None of those is needed by a network that maps an
image to an image.

Nor are kernels below the public operations, some of which trust their arguments and read or write
beyond their memory where these do not fit (``native_batch_norm``, ``_fft_r2c``); nor random
numbers, which would move the generator of whoever runs the model. Of those listed, some take any
arguments but a few: the formats' own checks see to these.
"""

from __future__ import annotations

_LAYERS = """
    conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d convolution
    _convolution _convolution_mode linear bilinear addmm baddbmm bmm mm mv matmul dot einsum
    tensordot embedding scaled_dot_product_attention batch_norm instance_norm group_norm layer_norm
    rms_norm native_group_norm native_layer_norm _weight_norm local_response_norm dropout
    feature_dropout alpha_dropout feature_alpha_dropout avg_pool1d avg_pool2d avg_pool3d max_pool1d
    max_pool2d max_pool3d max_pool2d_with_indices max_pool3d_with_indices max_unpool2d max_unpool3d
    adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d
    adaptive_max_pool2d adaptive_max_pool3d upsample_nearest1d upsample_nearest2d
    upsample_nearest3d upsample_linear1d upsample_bilinear2d upsample_trilinear3d
    upsample_bicubic2d _upsample_nearest_exact1d _upsample_nearest_exact2d
    _upsample_nearest_exact3d _upsample_bilinear2d_aa _upsample_bicubic2d_aa _upsample_lanczos2d_aa
    grid_sampler grid_sampler_2d grid_sampler_3d affine_grid_generator pixel_shuffle
    pixel_unshuffle channel_shuffle native_channel_shuffle im2col col2im pad constant_pad_nd
    reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d
    replication_pad3d _pad_circular _pad_enum _native_multi_head_attention
    _transformer_encoder_layer_fwd _scaled_dot_product_attention_math _masked_softmax
    norm_except_dim _conv_depthwise2d conv_depthwise3d thnn_conv2d _adaptive_avg_pool2d
    _adaptive_avg_pool3d max_pool1d_with_indices lp_pool2d __interpolate __upsample
    __upsample_bilinear __upsample_nearest embedding_bag _trilinear addbmm addmv addr _prelu_kernel
    _addmm_activation _add_relu glu
"""

_ACTIVATIONS = """
    relu relu6 leaky_relu prelu rrelu elu celu selu gelu silu mish glu softplus softsign hardtanh
    hardswish hardsigmoid hardshrink softshrink threshold sigmoid log_sigmoid tanh softmax _softmax
    log_softmax _log_softmax softmin logsumexp log_sigmoid_forward special_softmax
    special_log_softmax special_expit
"""

_ARITHMETIC = """
    add sub rsub mul div true_divide floor_divide floordiv remainder mathremainder fmod neg
    negative reciprocal abs absolute sign sgn square sqrt rsqrt pow float_power exp exp2 expm1 log
    log2 log10 log1p sin cos tan asin acos atan atan2 arctan2 sinh cosh asinh acosh atanh sinc erf
    erfc erfinv lgamma digamma floor ceil round trunc frac fix clamp clamp_min clamp_max clip lerp
    addcmul addcdiv hypot nan_to_num logit xlogy deg2rad rad2deg heaviside copysign logaddexp
    positive degrees radians eq ne lt le gt ge isnan isinf isfinite isclose allclose equal
    logical_and logical_or logical_not logical_xor bitwise_and bitwise_or bitwise_not bitwise_xor
    maximum minimum fmax fmin where arccos arccosh arcsin arcsinh arctan arctanh bitwise_left_shift
    bitwise_right_shift divide multiply subtract less less_equal greater greater_equal not_equal
    fabs frexp gcd lcm i0 igamma igammac ldexp logaddexp2 mvlgamma polygamma signbit isneginf
    isposinf isreal is_nonzero is_signed nextafter modf factorial special_erf special_erfc
    special_erfcx special_erfinv special_exp2 special_expm1 special_log1p special_logit special_i0
    special_i0e special_i1 special_i1e special_digamma special_gammaln special_psi special_round
    special_sinc special_xlogy special_xlog1py special_entr special_ndtr special_ndtri
    special_log_ndtr special_zeta special_gammainc special_gammaincc special_logsumexp
    special_multigammaln special_polygamma
"""

_REDUCTIONS = """
    sum mean std var std_mean var_mean prod max min amax amin aminmax argmax argmin any all norm
    frobenius_norm nansum nanmean median nanmedian mode quantile nanquantile kthvalue cumsum
    cumprod cummax cummin count_nonzero linalg_norm linalg_vector_norm linalg_matrix_norm
    unique_consecutive bincount histc sort argsort topk msort diff logcumsumexp trapezoid trapz
    cumulative_trapezoid cov corrcoef dist nuclear_norm renorm bucketize searchsorted unique_dim
    _unique2 cosine_similarity pairwise_distance pdist _cdist_forward _euclidean_dist _aminmax
    scatter_reduce index_reduce trace det logdet slogdet inverse pinverse matrix_exp matrix_power
    chain_matmul svd qr inner ger vdot kron linalg_inv linalg_inv_ex linalg_solve linalg_solve_ex
    linalg_det linalg_slogdet linalg_eigh linalg_eigvalsh linalg_svd linalg_svdvals linalg_qr
    linalg_cholesky linalg_cholesky_ex linalg_matmul linalg_multi_dot linalg_pinv linalg_cross
    linalg_vecdot linalg_matrix_exp linalg_matrix_power linalg_matrix_rank linalg_cond
    linalg_diagonal linalg_lstsq linalg_lu linalg_lu_factor linalg_solve_triangular _linalg_det
    _linalg_slogdet _linalg_solve_ex _linalg_svd _linalg_eigh
"""

_SHAPES = """
    size sizes dim ndim numel len stride is_contiguous contiguous view view_as reshape reshape_as
    flatten unflatten ravel permute transpose swapaxes movedim moveaxis t numpy_T mT squeeze
    unsqueeze expand expand_as broadcast_to broadcast_tensors repeat repeat_interleave tile cat
    concat concatenate stack hstack vstack dstack column_stack split split_with_sizes tensor_split
    unsafe_split unsafe_chunk chunk unbind select slice narrow index index_select index_put
    index_add index_copy index_fill masked_fill masked_select masked_scatter gather take
    take_along_dim scatter scatter_add nonzero flip fliplr flipud roll rot90 unfold diagonal diag
    tril triu select_scatter slice_scatter meshgrid one_hot outer cross cdist view_as_real
    view_as_complex real imag conj resolve_conj resolve_neg angle polar complex adjoint mH matrix_H
    argwhere atleast_1d atleast_2d atleast_3d block_diag broadcast_shapes cartesian_prod
    combinations diag_embed diagflat diagonal_scatter dsplit hsplit vsplit fill_diagonal row_stack
    swapdims unsafe_split_with_sizes sum_to_size _unsafe_view _unsafe_index _stack conj_physical
    _conj vander gradient element_size is_same_size
"""

_CREATION = """
    zeros ones full empty zeros_like ones_like full_like empty_like new_zeros new_ones new_full
    new_empty arange linspace logspace eye tensor as_tensor scalar_tensor tril_indices triu_indices
    hann_window hamming_window clone copy fill zero detach alias lift_fresh lift_fresh_copy
    bartlett_window blackman_window kaiser_window range complex
"""

_SPECTRA = """
    fft_fft fft_ifft fft_rfft fft_irfft fft_fft2 fft_ifft2 fft_rfft2 fft_irfft2 fft_fftn fft_ifftn
    fft_rfftn fft_irfftn fft_fftshift fft_ifftshift fft_fftfreq fft_rfftfreq stft istft fft_hfft
    fft_ihfft
"""

_TYPES = """
    to _to_copy type_as float half double int long bool Bool Int Float Complex IntImplicit
    FloatImplicit ScalarImplicit ComplexImplicit item cpu cuda is_floating_point is_complex
    result_type promote_types can_cast get_device device is_autocast_enabled
    is_autocast_cpu_enabled is_grad_enabled is_scripting _shape_as_tensor _cast_Byte _cast_Char
    _cast_Double _cast_Float _cast_Half _cast_Int _cast_Long _cast_Short _to_cpu requires_grad
"""

_LANGUAGE = """
    __is__ __isnot__ __not__ __contains__ __getitem__ __and__ __or__ __xor__ __lshift__ __rshift__
    __range_length __derive_index _set_item _unwrap_optional append extend insert pop remove
    reverse clear sorted copy count list dict keys values items get setdefault update popitem
    Delete ord chr str format percentFormat join lower upper strip split startswith endswith
    replace find warn index hash
"""


def _names(*blocks: str) -> frozenset[str]:
    return frozenset(name for block in blocks for name in block.split())


_PLAIN = _names(
    _LAYERS,
    _ACTIVATIONS,
    _ARITHMETIC,
    _REDUCTIONS,
    _SHAPES,
    _CREATION,
    _SPECTRA,
    _TYPES,
    _LANGUAGE,
)

RANDOM = frozenset(
    f"aten::{name}{end}"
    for name in ("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout", "rrelu")
    for end in ("", "_")
)
"""Those of the list that draw random numbers while a network is trained."""

DIVISIONS = frozenset({"aten::floordiv", "aten::remainder", "aten::mathremainder"})
"""Those by which the processor stops the process where they divide two numbers, by 0."""

ATEN = _PLAIN | {f"{name}_" for name in _PLAIN if not name.endswith("_")}
"""Allowed names of ``aten::…``, written ``torch.…`` in a file; those that work in place as well."""
