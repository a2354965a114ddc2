//! Which call of ours an entry of PyTorch's tables is.

use lossgraph_autograd::{PadMode, einsum, hstack, stack, vstack};
use lossgraph_tensor::kernels::Order;

use super::calls::{self, axis, correction, input, list, operand, other};
use super::differences::{self, everywhere, slopes};
use super::{Call, Difference, Row};
use crate::golden_runner::case::Adapter;

/// An entry that is called as the golden file of its last name.
const fn same(entry: &'static str) -> Row {
    like(entry, "")
}

/// An entry that is called as a golden file.
const fn like(entry: &'static str, golden: &'static str) -> Row {
    Row { entry, call: Call::Golden(golden), differs: &[], rough: None }
}

const fn here(entry: &'static str, call: Adapter) -> Row {
    Row { entry, call: Call::Here(call), differs: &[], rough: None }
}

impl Row {
    const fn but(self, differs: &'static [Difference]) -> Row {
        Row { differs, ..self }
    }

    /// PyTorch's numbers are right to six digits only.
    const fn rough(self, why: &'static str) -> Row {
        Row { rough: Some(why), ..self }
    }
}

#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    // Functions of one tensor.
    same("abs"),
    same("acos"),
    same("asin"),
    same("atan"),
    same("cos"),
    same("cosh"),
    same("erf"),
    same("erfc"),
    same("exp"),
    same("expm1"),
    here("floor", |x| input(x).floor().into()),
    same("log"),
    same("log1p"),
    same("log2"),
    same("neg"),
    same("reciprocal"),
    same("rsqrt"),
    same("sigmoid"),
    same("sign"),
    like("sgn", "sign"),
    same("sin"),
    same("sinh"),
    same("sqrt"),
    same("square"),
    same("tan"),
    same("tanh"),
    here("positive", |x| input(x).into()),
    here("acosh", |x| input(x).acosh().into()),
    here("asinh", |x| input(x).asinh().into()),
    here("atanh", |x| input(x).atanh().into()),
    here("ceil", |x| input(x).ceil().into()),
    here("deg2rad", |x| input(x).deg2rad().into()),
    here("digamma", |x| input(x).digamma().into()).but(&slopes(differences::negative, "at a pole, a slope is infinite")),
    here("erfinv", |x| input(x).erfinv().into()),
    here("exp2", |x| input(x).exp2().into()),
    here("frac", |x| input(x).frac().into()),
    here("isfinite", |x| input(x).isfinite().into()),
    here("isinf", |x| input(x).isinf().into()),
    here("isposinf", |x| input(x).isposinf().into()),
    here("isneginf", |x| input(x).isneginf().into()),
    here("isnan", |x| input(x).isnan().into()),
    here("lgamma", |x| input(x).lgamma().into()),
    here("log10", |x| input(x).log10().into()),
    here("logical_not", |x| input(x).logical_not().into()),
    here("logit", |x| input(x).logit(x.number("eps")).into()),
    here("nan_to_num", |x| {
        let to = |name| x.number(name);
        input(x).nan_to_num(to("nan").unwrap_or(0.0), to("posinf"), to("neginf")).into()
    }),
    here("polygamma.polygamma_n_0", calls::polygamma).but(&everywhere(differences::not_finite, "at infinity, it is the limit")).rough("between far poles it loses digits"),
    here("polygamma.polygamma_n_1", calls::polygamma).but(&everywhere(differences::not_finite, "at infinity, it is the limit")).rough("between far poles it loses digits"),
    here("polygamma.polygamma_n_2", calls::polygamma).but(&everywhere(differences::not_finite, "at infinity, it is the limit")).rough("between far poles it loses digits"),
    here("polygamma.polygamma_n_3", calls::polygamma).but(&everywhere(differences::not_finite, "at infinity, it is the limit")).rough("between far poles it loses digits"),
    here("polygamma.polygamma_n_4", calls::polygamma).but(&everywhere(differences::not_finite, "at infinity, it is the limit")).rough("between far poles it loses digits"),
    here("special.polygamma.special_polygamma_n_0", calls::polygamma).but(&everywhere(differences::not_finite, "at infinity, it is the limit")).rough("between far poles it loses digits"),
    here("rad2deg", |x| input(x).rad2deg().into()),
    here("round", |x| input(x).round().into()),
    here("round.decimals_0", |x| input(x).round_to(axis(x, "decimals", 0) as i32).into()),
    here("round.decimals_3", |x| input(x).round_to(axis(x, "decimals", 0) as i32).into()),
    here("round.decimals_neg_3", |x| input(x).round_to(axis(x, "decimals", 0) as i32).into()),
    here("sinc", |x| input(x).sinc().into()).but(&slopes(differences::not_finite, "at infinity, it is the limit")),
    here("special.entr", |x| input(x).entr().into()).but(&slopes(differences::negative, "outside of its domain, it is −∞ everywhere, without a slope")),
    here("special.ndtri", |x| input(x).ndtri().into()),
    here("special.log_ndtr", |x| input(x).log_ndtr().into()).but(&slopes(differences::far, "far left, PyTorch's slope is off by half a percent")),
    here("special.ndtr", |x| input(x).ndtr().into()),
    here("trunc", |x| input(x).trunc().into()),
    // Activations.
    same("nn.functional.celu").rough("its slope has a factor in single precision"),
    same("nn.functional.elu"),
    same("nn.functional.gelu"),
    here("nn.functional.glu", |x| input(x).glu(axis(x, "dim", -1)).into()),
    here("nn.functional.hardshrink", |x| input(x).hardshrink(x.number("lambd").unwrap_or(0.5)).into()).but(&slopes(differences::not_finite, "of a NaN: PyTorch's is 0 or 1, by its place")),
    here("nn.functional.hardsigmoid", |x| input(x).hardsigmoid().into()).rough("its slope has a factor in single precision"),
    here("nn.functional.hardswish", |x| input(x).hardswish().into()),
    same("nn.functional.hardtanh"),
    same("nn.functional.leaky_relu"),
    like("nn.functional.logsigmoid", "log_sigmoid"),
    here("nn.functional.mish", |x| input(x).mish().into()),
    here("nn.functional.prelu", |x| input(x).prelu(x.var("weight")).into()),
    same("nn.functional.relu"),
    here("nn.functional.relu6", |x| input(x).relu6().into()),
    here("nn.functional.selu", |x| input(x).selu().into()),
    same("nn.functional.silu"),
    same("nn.functional.softplus"),
    here("nn.functional.softshrink", |x| input(x).softshrink(x.number("lambd").unwrap_or(0.5)).into()),
    here("nn.functional.softsign", |x| input(x).softsign().into()),
    here("nn.functional.tanhshrink", |x| input(x).tanhshrink().into()),
    here("nn.functional.threshold", |x| input(x).threshold(operand(x, "threshold").item().unwrap_or(0.0), x.number("value").unwrap_or(0.0)).into()),
    // Functions of two and three.
    here("add", |x| (operand(x, "input") + calls::scaled(x, other(x), "alpha")).into()),
    here("sub", |x| (operand(x, "input") - calls::scaled(x, other(x), "alpha")).into()),
    here("rsub", |x| (other(x) - calls::scaled(x, input(x), "alpha")).into()),
    here("mul", |x| (input(x) * other(x)).into()),
    here("div.no_rounding_mode", |x| (input(x) / other(x)).into()),
    here("true_divide", |x| (input(x) / other(x)).into()),
    here("__radd__", |x| (other(x) + input(x)).into()),
    here("__rsub__", |x| (other(x) - input(x)).into()),
    here("__rmul__", |x| (other(x) * input(x)).into()),
    here("__rdiv__", |x| (other(x) / input(x)).into()),
    here("__rpow__", |x| other(x).pow(input(x)).into()).but(&slopes(differences::negative, "where a power underflows to 0, its slope in the exponent is 0")),
    here("__rmod__", |x| other(x).remainder(input(x)).into()),
    here("__rmatmul__", |x| other(x).matmul(input(x)).into()),
    here("pow", |x| match x.number("exponent") {
        Some(exponent) => input(x).powf(exponent).into(),
        None => input(x).pow(x.var("exponent")).into(),
    }).but(&slopes(differences::negative, "where a power underflows to 0, its slope in the exponent is 0")),
    here("float_power", |x| input(x).pow(operand(x, "exponent")).into()).but(&slopes(differences::negative, "where a power underflows to 0, its slope in the exponent is 0")),
    same("atan2"),
    same("maximum"),
    same("minimum"),
    like("max.binary", "maximum"),
    like("min.binary", "minimum"),
    same("logaddexp"),
    here("eq", |x| input(x).eq(other(x)).into()),
    here("ne", |x| input(x).ne(other(x)).into()),
    here("lt", |x| input(x).lt(other(x)).into()),
    here("le", |x| input(x).le(other(x)).into()),
    here("gt", |x| input(x).gt(other(x)).into()),
    here("ge", |x| input(x).ge(other(x)).into()),
    here("where", |x| x.var("arg1").select(operand(x, "input"), operand(x, "arg2")).into()),
    here("addcdiv", |x| {
        let value = x.number("value").unwrap_or(1.0);
        input(x).addcdiv(x.var("tensor1"), x.var("tensor2"), value).into()
    }),
    here("addcmul", |x| {
        let value = x.number("value").unwrap_or(1.0);
        input(x).addcmul(x.var("tensor1"), x.var("tensor2"), value).into()
    }),
    here("clamp", |x| match [calls::bound(x, "min"), calls::bound(x, "max")] {
        [None, None] => input(x).into(),
        [Some(low), None] => input(x).clamp(low, ..).into(),
        [None, Some(high)] => input(x).clamp(.., high).into(),
        [Some(low), Some(high)] => input(x).clamp(low, high).into(),
    }),
    here("clamp_max", |x| input(x).clamp_max(operand(x, "max")).into()),
    here("clamp_min", |x| input(x).clamp_min(operand(x, "min")).into()),
    here("copysign", |x| input(x).copysign(other(x)).into()),
    here("div.floor_rounding", |x| input(x).floor_divide(other(x)).into()),
    here("div.trunc_rounding", |x| input(x).trunc_divide(other(x)).into()),
    here("floor_divide", |x| input(x).floor_divide(other(x)).into()),
    here("fmax", |x| input(x).fmax(other(x)).into()),
    here("fmin", |x| input(x).fmin(other(x)).into()),
    here("fmod", |x| input(x).fmod(other(x)).into()),
    here("heaviside", |x| input(x).heaviside(operand(x, "values")).into()),
    here("hypot", |x| input(x).hypot(other(x)).into()),
    here("lerp", |x| input(x).lerp(x.var("end"), operand(x, "weight")).into()),
    here("logaddexp2", |x| input(x).logaddexp2(other(x)).into()),
    here("logical_and", |x| input(x).logical_and(other(x)).into()),
    here("logical_or", |x| input(x).logical_or(other(x)).into()),
    here("logical_xor", |x| input(x).logical_xor(other(x)).into()),
    here("remainder", |x| operand(x, "input").remainder(other(x)).into()),
    here("xlogy", |x| operand(x, "input").xlogy(other(x)).into()),
    here("special.xlog1py", |x| operand(x, "input").xlog1py(other(x)).into()),
    here("masked_fill", |x| input(x).masked_fill(x.var("mask"), operand(x, "value")).into()),
    // Reductions.
    same("sum"),
    same("mean"),
    same("prod"),
    same("amax"),
    same("amin"),
    same("argmax"),
    same("argmin"),
    here("max.reduction_no_dim", |x| input(x).max(..).into()),
    here("min.reduction_no_dim", |x| input(x).min(..).into()),
    here("all", |x| input(x).all(x.axes()).into()),
    here("any", |x| input(x).any(x.axes()).into()),
    here("nansum", |x| input(x).nansum(x.axes()).into()),
    here("nanmean", |x| input(x).nanmean(x.axes()).into()),
    here("kthvalue", |x| calls::found(input(x).kthvalue(axis(x, "k", 1).max(0) as usize, calls::along(x, -1)))),
    here("median", |x| match x.integer("dim") {
        None => input(x).median(..).into(),
        Some(_) => {
            let along = || calls::along(x, -1);
            calls::found((input(x).median(along()), input(x).argmedian(along())))
        }
    }),
    here("nanmedian", |x| match x.integer("dim") {
        None => input(x).nanmedian(..).into(),
        Some(_) => {
            let along = || calls::along(x, -1);
            calls::found((input(x).nanmedian(along()), input(x).nanargmedian(along())))
        }
    }),
    here("nanquantile", |x| calls::quantile(x, |x, q, axes, between| x.nanquantile(q, axes, between))).but(&slopes(|case| case["grads"].get("q").is_some(), "quantiles are numbers, without slopes")),
    here("quantile", |x| calls::quantile(x, |x, q, axes, between| x.quantile(q, axes, between))).but(&slopes(|case| case["grads"].get("q").is_some(), "quantiles are numbers, without slopes")),
    here("max.reduction_with_dim", |x| calls::chosen(x, |v, axis| v.argmax(axis))),
    here("min.reduction_with_dim", |x| calls::chosen(x, |v, axis| v.argmin(axis))),
    here("aminmax", |x| calls::all_of(vec![input(x).min(x.axes()), input(x).max(x.axes())])),
    here("var", |x| input(x).var(x.axes(), correction(x)).into()),
    here("var.unbiased", |x| input(x).var(x.axes(), correction(x)).into()),
    here("std", |x| input(x).std(x.axes(), correction(x)).into()),
    here("std.unbiased", |x| input(x).std(x.axes(), correction(x)).into()),
    here("var_mean", |x| calls::all_of(input(x).var_mean(x.axes(), correction(x)).into())),
    here("var_mean.unbiased", |x| calls::all_of(input(x).var_mean(x.axes(), correction(x)).into())),
    here("std_mean", |x| calls::all_of(input(x).std_mean(x.axes(), correction(x)).into())),
    here("std_mean.unbiased", |x| calls::all_of(input(x).std_mean(x.axes(), correction(x)).into())),
    here("norm", |x| input(x).norm(x.number("p").unwrap_or(2.0), x.axes()).into()),
    here("norm.fro", |x| input(x).norm(2.0, x.axes()).into()),
    here("norm.inf", |x| input(x).norm(x.number("p").unwrap_or(f64::INFINITY), x.axes()).into()),
    here("linalg.vector_norm", |x| input(x).norm(x.number("ord").unwrap_or(2.0), x.axes()).into()),
    same("logsumexp"),
    same("softmax"),
    like("softmax.with_dtype", "softmax"),
    here("nn.functional.softmin", |x| input(x).softmin(axis(x, "dim", -1)).into()),
    here("nn.functional.softmin.with_dtype", |x| input(x).softmin(axis(x, "dim", -1)).into()),
    same("log_softmax"),
    like("log_softmax.with_dtype", "log_softmax"),
    same("cumsum"),
    here("cumprod", |x| input(x).cumprod(axis(x, "dim", -1)).into()),
    here("cummax", |x| calls::found(input(x).cummax(axis(x, "dim", -1)))),
    here("cummin", |x| calls::found(input(x).cummin(axis(x, "dim", -1)))),
    here("diff", calls::diff),
    here("logcumsumexp", |x| input(x).logcumsumexp(axis(x, "dim", -1)).into()),
    // Distances and normalization.
    here("cdist", |x| x.var("x1").cdist(x.var("x2"), x.number("p").unwrap_or(2.0)).into()),
    here("dist", |x| input(x).dist(other(x), x.number("p").unwrap_or(2.0)).into()),
    same("nn.functional.pairwise_distance"),
    here("nn.functional.cosine_similarity", |x| {
        let eps = x.number("eps").unwrap_or(1e-8);
        x.var("x1").cosine_similarity(x.var("x2"), axis(x, "dim", 1), eps).into()
    }),
    same("nn.functional.normalize"),
    same("nn.functional.layer_norm"),
    here("nn.functional.group_norm", calls::group_norm),
    here("nn.functional.instance_norm", calls::instance_norm),
    here("nn.functional.rms_norm", |x| calls::rms_norm(x, input(x))),
    here("nn.functional.local_response_norm", calls::local_response_norm),
    same("nn.functional.batch_norm").but(&everywhere(|case| differences::rank(case, "input") < 2, "the channels are the second axis")),
    // Products and windows.
    same("matmul"),
    here("mm", |x| input(x).matmul(x.var("mat2")).into()),
    here("bmm", |x| input(x).matmul(x.var("mat2")).into()),
    here("mv", |x| input(x).matmul(x.var("vec")).into()),
    here("dot", |x| input(x).dot(x.var("tensor")).into()),
    here("vdot", |x| input(x).dot(other(x)).into()),
    here("linalg.vecdot", |x| (x.var("x") * x.var("y")).sum(axis(x, "dim", -1)).into()),
    here("linalg.multi_dot", |x| list(x).into_iter().reduce(|a, b| a.matmul(b)).expect("some").into()),
    here("outer", |x| input(x).outer(x.var("vec2")).into()),
    here("addmm", |x| input(x).addmm(x.var("mat1"), x.var("mat2"), calls::beta(x), calls::alpha(x)).into()),
    here("addmm.decomposed", |x| input(x).addmm(x.var("mat1"), x.var("mat2"), calls::beta(x), calls::alpha(x)).into()),
    here("addbmm", |x| input(x).addbmm(x.var("batch1"), x.var("batch2"), calls::beta(x), calls::alpha(x)).into()),
    here("inner", |x| input(x).inner(other(x)).into()),
    here("cross", |x| calls::cross(x, input(x))),
    here("linalg.cross", |x| input(x).cross(other(x), axis(x, "dim", -1)).into()),
    here("nn.functional.bilinear", calls::bilinear),
    here("nn.Bilinear", calls::bilinear),
    here("addmv", |x| input(x).addmv(x.var("mat"), x.var("vec"), calls::beta(x), calls::alpha(x)).into()),
    here("addr", |x| input(x).addr(x.var("vec1"), x.var("vec2"), calls::beta(x), calls::alpha(x)).into()),
    here("baddbmm", |x| input(x).baddbmm(x.var("batch1"), x.var("batch2"), calls::beta(x), calls::alpha(x)).into()),
    here("kron", |x| input(x).kron(other(x)).into()),
    here("tensordot", calls::tensordot).but(&everywhere(|case| case["inputs"]["input"]["shape"][0] == 1, "an axis of length 1 is no axis of another length")),
    here("linalg.cholesky", |x| match x.flag("upper") {
        false => input(x).cholesky().into(),
        true => input(x).cholesky().t().into(),
    }),
    here("linalg.det", |x| x.var("A").det().into()),
    here("linalg.inv", |x| x.var("A").inverse().into()),
    here("linalg.slogdet", |x| calls::all_of(x.var("A").slogdet().into())),
    here("logdet", |x| input(x).logdet().into()),
    here("linalg.solve", calls::solve),
    here("linalg.solve_triangular", calls::solve_triangular),
    here("einsum", |x| einsum(x.text("equation").unwrap_or_default(), &list(x)).into()),
    same("nn.functional.linear"),
    same("nn.functional.conv1d"),
    same("nn.functional.conv2d"),
    here("nn.functional.conv_transpose1d", |x| calls::conv_transpose::<1>(x, |x, w, b, o| x.conv_transpose1d(w, b, o))),
    here("nn.functional.conv_transpose2d", |x| calls::conv_transpose::<2>(x, |x, w, b, o| x.conv_transpose2d(w, b, o))),
    here("nn.functional.unfold", calls::unfold),
    here("nn.functional.adaptive_avg_pool1d", |x| input(x).adaptive_avg_pool1d(calls::count(x)).into()),
    here("nn.functional.adaptive_avg_pool2d", |x| input(x).adaptive_avg_pool2d(calls::plane(x)).into()),
    here("nn.functional.adaptive_max_pool1d", |x| calls::with_indices(input(x).adaptive_max_pool1d_with_indices(calls::count(x)))),
    here("nn.functional.adaptive_max_pool2d", |x| calls::with_indices(input(x).adaptive_max_pool2d_with_indices(calls::plane(x)))),
    here("nn.functional.avg_pool1d", |x| input(x).avg_pool1d(calls::pool(x)).into()),
    here("nn.functional.max_pool1d", |x| calls::with_indices(input(x).max_pool1d_with_indices(calls::pool(x)))),
    here("nn.functional.channel_shuffle", |x| input(x).channel_shuffle(axis(x, "groups", 1) as usize).into()),
    here("nn.functional.pixel_shuffle", |x| input(x).pixel_shuffle(axis(x, "upscale_factor", 1) as usize).into()),
    here("nn.functional.pixel_unshuffle", |x| input(x).pixel_unshuffle(axis(x, "downscale_factor", 1) as usize).into()),
    here("nn.functional.interpolate.bicubic", calls::interpolate),
    here("nn.functional.interpolate.bilinear", calls::interpolate),
    here("nn.functional.interpolate.linear", calls::interpolate),
    here("nn.functional.interpolate.nearest", calls::interpolate),
    here("nn.functional.interpolate.nearest-exact", calls::interpolate),
    here("nn.functional.interpolate.trilinear", calls::interpolate),
    here("nn.functional.upsample_bilinear", |x| calls::interpolated(x, "bilinear", true)),
    here("nn.functional.upsample_nearest", |x| calls::interpolated(x, "nearest", false)),
    here("nn.functional.scaled_dot_product_attention", calls::attention),
    here("nn.functional.avg_pool2d", |x| input(x).avg_pool2d(calls::pool(x)).into()),
    here("nn.functional.max_pool2d", |x| calls::with_indices(input(x).max_pool2d_with_indices(calls::pool(x)))),
    // Views.
    same("cat"),
    here("hstack", |x| hstack(&list(x)).into()),
    here("vstack", |x| vstack(&list(x)).into()),
    here("stack", |x| stack(&list(x), axis(x, "dim", 0)).into()),
    here("expand", |x| input(x).expand(expanded(x, "shape")).into()),
    here("expand_as", |x| input(x).expand(other(x).shape()).into()),
    here("broadcast_to", |x| input(x).expand(calls::lengths(x, "size")).into()),
    here("broadcast_tensors", |x| {
        let all = list(x);
        let shape = all.iter().map(|v| v.shape()).reduce(|a, b| a.broadcast(&b).unwrap_or(a));
        calls::all_of(all.iter().map(|v| v.expand(shape.clone().unwrap_or_default())).collect())
    }),
    here("sum_to_size", |x| input(x).sum_to(sizes(x)).into()),
    same("reshape"),
    like("view", "reshape"),
    here("reshape_as", |x| input(x).reshape(other(x).shape().to_vec()).into()),
    here("view_as", |x| input(x).reshape(other(x).shape().to_vec()).into()),
    here("ravel", |x| input(x).flatten(..).into()),
    here("flatten", |x| input(x).flatten(axis(x, "start_dim", 0)..=axis(x, "end_dim", -1)).into()),
    here("unflatten", |x| {
        let sizes = x.integers("sizes").unwrap_or_default();
        input(x).unflatten(axis(x, "dim", 0), &sizes[..]).into()
    }),
    same("permute"),
    same("transpose"),
    here("t", |x| if input(x).rank() < 2 { input(x).into() } else { input(x).t().into() }),
    here("T", |x| if input(x).rank() < 2 { input(x).into() } else { input(x).t().into() }),
    here("mT", |x| input(x).t().into()),
    here("movedim", |x| {
        let at = |name| x.integers(name).unwrap_or_default();
        input(x).movedim(&at("source")[..], &at("destination")[..]).into()
    }),
    same("squeeze"),
    like("squeeze.multiple", "squeeze"),
    same("unsqueeze"),
    here("narrow", |x| {
        let start = match x.maybe("start") {
            Some(start) => start.item().unwrap_or(0.0) as isize,
            None => axis(x, "start", 0),
        };
        input(x).narrow(axis(x, "dim", 0), start, axis(x, "length", 0) as usize).into()
    }),
    here("select", |x| input(x).index(axis(x, "dim", 0), axis(x, "index", 0)).into()),
    same("flip"),
    here("fliplr", |x| input(x).flip(1).into()),
    here("flipud", |x| input(x).flip(0).into()),
    here("unbind", |x| calls::all_of(input(x).unbind(axis(x, "dim", 0)))),
    here("chunk", |x| calls::all_of(input(x).chunk(axis(x, "chunks", 1) as usize, axis(x, "dim", 0)))),
    here("split", |x| calls::split(x, "split_size")),
    here("split.list_args", |x| calls::split(x, "split_size")),
    here("split_with_sizes", |x| calls::split(x, "split_sizes")),
    here("roll", calls::roll),
    here("repeat", |x| input(x).repeat(&x.integers("dims").unwrap_or_default()[..]).into()),
    here("repeat_interleave", calls::repeat_interleave),
    here("tile", |x| input(x).tile(&x.integers("dims").unwrap_or_default()[..]).into()),
    here("tril", |x| input(x).tril(axis(x, "diagonal", 0)).into()),
    here("triu", |x| input(x).triu(axis(x, "diagonal", 0)).into()),
    here("diagonal", |x| input(x).diagonal(axis(x, "offset", 0), axis(x, "dim1", 0), axis(x, "dim2", 1)).into()),
    here("diagonal_scatter", |x| input(x).diagonal_scatter(x.var("src"), axis(x, "offset", 0), axis(x, "dim1", 0), axis(x, "dim2", 1)).into()),
    here("diag", |x| input(x).diag(axis(x, "diagonal", 0)).into()),
    here("diag_embed", |x| input(x).diag_embed(axis(x, "offset", 0), axis(x, "dim1", -2), axis(x, "dim2", -1)).into()),
    here("linalg.diagonal", |x| x.var("A").diagonal(axis(x, "offset", 0), axis(x, "dim1", -2), axis(x, "dim2", -1)).into()),
    here("trace", |x| input(x).trace().into()),
    here("meshgrid.list_of_tensors", calls::meshgrid),
    here("meshgrid.variadic_tensors", calls::meshgrid),
    here("nn.functional.pad.constant", |x| calls::pad_mode(x, "pad")),
    here("constant_pad_nd", |x| calls::pad_mode(x, "pad")),
    here("nn.functional.pad.circular", |x| calls::pad_mode(x, "pad")),
    here("nn.functional.pad.reflect", |x| calls::pad_mode(x, "pad")),
    here("nn.functional.pad.replicate", |x| calls::pad_mode(x, "pad")),
    here("nn.functional.pad.replicate_negative", |x| calls::pad_mode(x, "pad")),
    // Indices that are data.
    same("gather").but(&everywhere(differences::empty, "an index has as many axes as the input")),
    same("index_select"),
    here("scatter", |x| {
        let (along, index) = (axis(x, "dim", 0), x.var("index"));
        match x.number("value").or(x.number("src")) {
            Some(value) => input(x).scatter(along, index, value).into(),
            None => input(x).scatter(along, index, x.var("src")).into(),
        }
    }),
    here("scatter_reduce.sum", calls::scatter_reduce),
    here("scatter_reduce.prod", calls::scatter_reduce),
    here("scatter_reduce.mean", calls::scatter_reduce),
    here("scatter_reduce.amin", calls::scatter_reduce),
    here("scatter_reduce.amax", calls::scatter_reduce),
    here("index_add", |x| input(x).index_add(axis(x, "dim", 0), x.var("index"), x.var("source"), calls::alpha(x)).into()),
    here("index_copy", |x| input(x).index_copy(axis(x, "dim", 0), x.var("index"), x.var("source")).into()).but(&slopes(|_| true, "of several that are written to one place, the last has the slope")),
    here("index_fill", |x| input(x).index_fill(axis(x, "dim", 0), x.var("index"), operand(x, "value")).into()),
    here("select_scatter", |x| input(x).select_scatter(axis(x, "dim", 0), axis(x, "index", 0), x.var("src")).into()),
    here("take", |x| input(x).take(x.var("index")).into()),
    here("take_along_dim", |x| match x.integer("dim") {
        Some(along) => input(x).take_along_dim(x.var("indices"), along).into(),
        None => input(x).flatten(..).take_along_dim(x.var("indices").flatten(..), 0).into(),
    }),
    same("scatter_add"),
    here("nn.functional.embedding", |x| input(x).embedding(x.var("arg1")).into()),
    same("nn.functional.one_hot"),
    same("sort"),
    here("msort", |x| input(x).sort(0, Order::Ascending).into()),
    here("argsort", |x| input(x).argsort(axis(x, "dim", -1), order(x)).into()),
    here("topk", |x| {
        let order = if x.option("largest").is_none_or(|largest| largest == true) { Order::Descending } else { Order::Ascending };
        calls::found(input(x).topk(axis(x, "k", 0) as usize, axis(x, "dim", -1), order))
    }),
    // Losses.
    same("nn.functional.binary_cross_entropy"),
    same("nn.functional.binary_cross_entropy_with_logits"),
    same("nn.functional.cosine_embedding_loss"),
    same("nn.functional.cross_entropy"),
    here("nn.functional.ctc_loss", calls::ctc),
    same("nn.functional.gaussian_nll_loss"),
    same("nn.functional.hinge_embedding_loss"),
    same("nn.functional.huber_loss"),
    same("nn.functional.kl_div"),
    same("nn.functional.l1_loss"),
    same("nn.functional.linear_cross_entropy"),
    same("nn.functional.margin_ranking_loss").but(&slopes(differences::not_finite, "of a NaN: a hinge passes it on")),
    same("nn.functional.mse_loss"),
    same("nn.functional.multi_margin_loss"),
    same("nn.functional.multilabel_margin_loss"),
    same("nn.functional.multilabel_soft_margin_loss"),
    same("nn.functional.nll_loss"),
    same("nn.functional.poisson_nll_loss"),
    same("nn.functional.smooth_l1_loss"),
    same("nn.functional.soft_margin_loss"),
    same("nn.functional.triplet_margin_loss"),
    like("nn.BCELoss", "binary_cross_entropy"),
    like("nn.BCEWithLogitsLoss", "binary_cross_entropy_with_logits"),
    like("nn.CosineEmbeddingLoss", "cosine_embedding_loss"),
    like("nn.CrossEntropyLoss", "cross_entropy"),
    here("nn.CTCLoss", calls::ctc),
    like("nn.GaussianNLLLoss", "gaussian_nll_loss"),
    like("nn.HingeEmbeddingLoss", "hinge_embedding_loss"),
    like("nn.HuberLoss", "huber_loss"),
    like("nn.KLDivLoss", "kl_div"),
    like("nn.L1Loss", "l1_loss"),
    like("nn.MarginRankingLoss", "margin_ranking_loss").but(&everywhere(differences::zero_target, "a target that is no sign is refused")),
    like("nn.MSELoss", "mse_loss"),
    like("nn.MultiLabelMarginLoss", "multilabel_margin_loss"),
    like("nn.MultiLabelSoftMarginLoss", "multilabel_soft_margin_loss"),
    like("nn.MultiMarginLoss", "multi_margin_loss"),
    like("nn.NLLLoss", "nll_loss"),
    here("nn.PoissonNLLLoss", calls::poisson_nll),
    like("nn.SmoothL1Loss", "smooth_l1_loss"),
    like("nn.SoftMarginLoss", "soft_margin_loss"),
    // Layers.
    like("nn.CELU", "celu").rough("its slope has a factor in single precision"),
    like("nn.ELU", "elu"),
    like("nn.GELU", "gelu"),
    here("nn.GLU", |x| input(x).glu(axis(x, "dim", -1)).into()),
    here("nn.Hardshrink", |x| input(x).hardshrink(x.number("lambd").unwrap_or(0.5)).into()),
    like("nn.Hardswish", "hardswish"),
    like("nn.Hardtanh", "hardtanh"),
    like("nn.LeakyReLU", "leaky_relu"),
    like("nn.LogSigmoid", "log_sigmoid"),
    here("nn.LogSoftmax", |x| input(x).log_softmax(axis(x, "dim", -1)).into()),
    here("nn.Mish", |x| input(x).mish().into()),
    here("nn.PReLU", |x| input(x).prelu(x.var("weight")).into()),
    like("nn.ReLU", "relu"),
    here("nn.ReLU6", |x| input(x).relu6().into()),
    here("nn.SELU", |x| input(x).selu().into()),
    like("nn.Sigmoid", "sigmoid"),
    like("nn.SiLU", "silu"),
    here("nn.Softmax", |x| input(x).softmax(axis(x, "dim", -1)).into()),
    here("nn.Softmax2d", |x| input(x).softmax(-3).into()),
    here("nn.Softmin", |x| (-input(x)).softmax(axis(x, "dim", -1)).into()),
    like("nn.Softplus", "softplus"),
    here("nn.Softshrink", |x| input(x).softshrink(x.number("lambd").unwrap_or(0.5)).into()),
    here("nn.Softsign", |x| input(x).softsign().into()),
    like("nn.Tanh", "tanh"),
    here("nn.Tanhshrink", |x| input(x).tanhshrink().into()),
    here("nn.Threshold", |x| input(x).threshold(x.number("threshold").unwrap_or(0.0), x.number("value").unwrap_or(0.0)).into()),
    like("nn.Linear", "linear"),
    like("nn.Conv1d", "conv1d"),
    like("nn.Conv2d", "conv2d"),
    like("nn.LayerNorm", "layer_norm"),
    here("nn.GroupNorm", calls::group_norm),
    like("nn.Embedding", "embedding"),
    here("nn.AvgPool2d", |x| input(x).avg_pool2d(calls::pool(x)).into()),
    here("nn.AvgPool1d", |x| input(x).avg_pool1d(calls::pool(x)).into()),
    here("nn.MaxPool2d", |x| calls::with_indices(input(x).max_pool2d_with_indices(calls::pool(x)))),
    here("nn.MaxPool1d", |x| calls::with_indices(input(x).max_pool1d_with_indices(calls::pool(x)))),
    here("nn.AdaptiveAvgPool1d", |x| input(x).adaptive_avg_pool1d(calls::count(x)).into()),
    here("nn.AdaptiveAvgPool2d", |x| input(x).adaptive_avg_pool2d(calls::plane(x)).into()),
    here("nn.AdaptiveMaxPool1d", |x| calls::with_indices(input(x).adaptive_max_pool1d_with_indices(calls::count(x)))),
    here("nn.AdaptiveMaxPool2d", |x| calls::with_indices(input(x).adaptive_max_pool2d_with_indices(calls::plane(x)))),
    here("nn.ConvTranspose1d", |x| calls::conv_transpose::<1>(x, |x, w, b, o| x.conv_transpose1d(w, b, o))),
    here("nn.ConvTranspose2d", |x| calls::conv_transpose::<2>(x, |x, w, b, o| x.conv_transpose2d(w, b, o))),
    here("nn.InstanceNorm1d", |x| calls::instance_norm_layer(x, 1)),
    here("nn.InstanceNorm2d", |x| calls::instance_norm_layer(x, 2)),
    here("nn.InstanceNorm3d", |x| calls::instance_norm_layer(x, 3)),
    here("nn.LocalResponseNorm", calls::local_response_norm),
    here("nn.RMSNorm", |x| calls::rms_norm(x, x.var("x"))),
    here("nn.ReflectionPad1d", |x| calls::border(x, 1, PadMode::Reflect)),
    here("nn.ReflectionPad2d", |x| calls::border(x, 2, PadMode::Reflect)),
    here("nn.ReflectionPad3d", |x| calls::border(x, 3, PadMode::Reflect)),
    here("nn.ReplicationPad1d", |x| calls::border(x, 1, PadMode::Replicate)),
    here("nn.ReplicationPad2d", |x| calls::border(x, 2, PadMode::Replicate)),
    here("nn.ReplicationPad3d", |x| calls::border(x, 3, PadMode::Replicate)),
    here("nn.CircularPad1d", |x| calls::border(x, 1, PadMode::Circular)),
    here("nn.CircularPad2d", |x| calls::border(x, 2, PadMode::Circular)),
    here("nn.CircularPad3d", |x| calls::border(x, 3, PadMode::Circular)),
    here("nn.ZeroPad1d", |x| calls::border(x, 1, PadMode::Constant(0.0))),
    here("nn.ZeroPad2d", |x| calls::border(x, 2, PadMode::Constant(0.0))),
    here("nn.ZeroPad3d", |x| calls::border(x, 3, PadMode::Constant(0.0))),
    here("nn.ConstantPad1d", |x| calls::border(x, 1, PadMode::Constant(x.number("value").unwrap_or(0.0)))),
    here("nn.ConstantPad2d", |x| calls::border(x, 2, PadMode::Constant(x.number("value").unwrap_or(0.0)))),
    here("nn.ConstantPad3d", |x| calls::border(x, 3, PadMode::Constant(x.number("value").unwrap_or(0.0)))),
];

type Inputs<'t> = crate::golden_runner::case::Inputs<'t>;

fn order(x: &Inputs<'_>) -> Order {
    if x.flag("descending") { Order::Descending } else { Order::Ascending }
}

/// Lengths of which −1 keeps that of the input.
fn expanded(x: &Inputs<'_>, name: &str) -> Vec<usize> {
    let (list, from) = (x.integers(name).unwrap_or_default(), input(x).shape());
    let added = list.len().saturating_sub(from.rank());
    let length = |(i, &length): (usize, &isize)| match length {
        -1 => i.checked_sub(added).and_then(|i| from.get(i).copied()).unwrap_or(1),
        _ => length as usize,
    };
    list.iter().enumerate().map(length).collect()
}

/// Lengths that are arguments, or a list.
fn sizes(x: &Inputs<'_>) -> Vec<usize> {
    (1..).map_while(|i| x.integers(&format!("arg{i}"))).flatten().map(|n| n as usize).collect()
}
