//! The workloads of the peer rig, written as a user of the library would write them.

mod batch_norm;
mod by_hand;
mod cluster;
mod copy;
mod data;
mod harness;
mod loss;
mod memory;
mod models;
mod op;
mod ops;
mod overhead;
mod products;
mod scaling;
mod training;

use harness::Case;

fn make(name: &str) -> Case {
    match name {
        "mse_1e6" => loss::mse(1_000_000),
        "smooth_l1_1e6" => loss::smooth_l1(),
        "bce_logits_1e6" => loss::bce_logits(),
        "cross_entropy_128x10" => loss::cross_entropy(128, 10),
        "cross_entropy_4096x1000" => loss::cross_entropy(4096, 1000),
        "cross_entropy_512x32000" => loss::cross_entropy(512, 32000),
        "triplet_4096x256" => loss::triplet(),
        "cosine_embedding_4096x256" => loss::cosine_embedding(),
        "kl_div_4096x1000" => loss::kl_div(),
        "softmax_4096x1000" => op::softmax(),
        "layer_norm_4096x256" => op::layer_norm(),
        "matmul_64" => op::matmul(64),
        "matmul_256" => op::matmul(256),
        "matmul_1024" => op::matmul(1024),
        "mlp_tiny_step" => training::mlp_tiny(),
        "mlp_mnist_step" => training::mlp_mnist(),
        "cnn_step" => training::cnn(),
        "embed_step" => training::embedding(),
        "fashion_cnn_step" => models::fashion_cnn(),
        "resnet_step" => models::resnet(),
        "gru_step" => models::gru(),
        "gpt_step" => models::gpt(),
        "ops_small" => op::small(),
        "ctc" => loss::ctc(),
        "linear_cross_entropy_512x50000" => loss::linear_cross_entropy(),
        "digits_epoch" | "startup" => training::digits(),
        _ => panic!("there is no workload {name}"),
    }
}

fn main() -> std::process::ExitCode {
    // The rig says THREADS to every peer.
    if let Some(threads) = std::env::var("THREADS").ok().and_then(|n| n.parse().ok()) {
        lossgraph_tensor::kernels::threads::set(threads);
    }
    match std::env::args().nth(1).as_deref() {
        Some("batch_norm") => return done(batch_norm::print()),
        Some("cluster") => return done(on_all_processes()),
        Some("by_hand") => by_hand::print(),
        Some("copy") => copy::print(),
        Some("memory") => return done(memory::print()),
        Some("ops") => return done(ops::print()),
        Some("overhead") => return done(overhead::print()),
        Some("products") => return done(products::print()),
        Some("scaling") => return done(scaling::print()),
        _ => return harness::main("lossgraph", make),
    }
    std::process::ExitCode::SUCCESS
}

/// The benchmark of processes, as one of those that a launcher started, or alone.
fn on_all_processes() -> lossgraph_nn::Result<()> {
    #[cfg(feature = "mpi")]
    if lossgraph_nn::parallel::launched() {
        return lossgraph_nn::parallel::mpi::run(|world| cluster::print(world));
    }
    cluster::print(&lossgraph_nn::parallel::Local::alone())
}

fn done<E: std::fmt::Debug>(result: Result<(), E>) -> std::process::ExitCode {
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:?}");
            std::process::ExitCode::FAILURE
        }
    }
}
