//! Golden files of the family `self_supervised`.

use lossgraph_losses::{BarlowTwins, Byol, InfoNce, NtXentSimclr, SimSiam, Vicreg};

use super::super::case::{Adapter, Inputs, Reply};
use super::reduced;

pub const FILES: &[(&str, Adapter)] = &[
    ("nt_xent_simclr", |x| {
        let temperature = x.number("temperature").unwrap_or(0.5);
        reduced(x, NtXentSimclr { temperature }.forward(x.var("z1"), x.var("z2")))
    }),
    ("info_nce", |x| {
        let loss = InfoNce {
            temperature: x.number("temperature").unwrap_or(0.1),
            symmetric: x.flag("symmetric"),
            negatives: x.maybe("negatives"),
        };
        reduced(x, loss.forward(x.var("query"), x.var("positive")))
    }),
    ("byol_loss", |x| reduced(x, Byol.forward(x.var("prediction"), x.var("target")))),
    ("simsiam_loss", |x| {
        let (predictions, views) = (["p1", "p2"], ["z1", "z2"]);
        reduced(x, SimSiam.forward(predictions.map(|p| x.var(p)), views.map(|z| x.var(z))))
    }),
    ("barlow_twins", |x| {
        let lambda = x.number("lambd").unwrap_or(0.0051);
        let loss = BarlowTwins { lambda, ..BarlowTwins::default() };
        reduced(x, loss.forward(x.var("z1"), x.var("z2")))
    }),
    ("vicreg", |x| vicreg(x, ["sim_coeff", "std_coeff", "cov_coeff"], ["z1", "z2"])),
    ("pml_VICRegLoss", |x| {
        let names = ["invariance_lambda", "variance_mu", "covariance_v"];
        vicreg(x, names, ["embeddings", "ref_emb"])
    }),
];

fn vicreg<'t>(x: &Inputs<'t>, weights: [&str; 3], views: [&str; 2]) -> Reply<'t> {
    let [invariance, variance, covariance] = weights;
    let loss = Vicreg {
        invariance: x.number(invariance).unwrap_or(25.0),
        variance: x.number(variance).unwrap_or(25.0),
        covariance: x.number(covariance).unwrap_or(1.0),
        eps: x.number("eps").unwrap_or(1e-4),
    };
    let [z1, z2] = views.map(|view| x.var(view));
    reduced(x, loss.forward(z1, z2))
}
