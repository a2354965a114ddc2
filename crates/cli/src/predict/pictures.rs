//! Pictures: what nets say of them, and what nets make of them.

use std::collections::HashSet;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use lossgraph_data::{encode_png, png_files, read_idx, read_png};
use lossgraph_tensor::{DType, Tensor};

use super::{Options, Result, check_ending, not_for};
use crate::output;
use crate::train::model::cure;
use crate::train::restored::Restored;
use crate::train::tasks::{Answers, Problem};

/// What a net of masks, boxes or sequences says of pictures, or what one of pictures makes of them.
pub fn run(options: &Options) -> Result<()> {
    let Restored { task, problem, .. } = Restored::read(&options.checkpoint)?;
    if problem.restores() {
        return restore(&*problem, options);
    }
    let Some(takes) = problem.takes() else {
        return Err(format!(
            "{}: a model of the task {task} is not used on files; those of classifier, numbers, masks, \
             boxes, sequences and pictures are",
            options.checkpoint.display()
        )
        .into());
    };
    let file = options.one_file()?;
    options.check_out(file)?;
    let pictures = read(file, 255.0).map_err(|error| {
        let ([c, h, w], checkpoint) = (takes, options.checkpoint.display());
        let what = format!("pictures of {c} × {h} × {w}, from a PNG or IDX file");
        format!("{error}\n{checkpoint} is a model of the task {task} that takes {what}")
    })?;
    if pictures.shape()[1..] != takes {
        let ([c, h, w], given, file) = (takes, pictures.shape(), file.display());
        let cure = cure(&given[1..], &takes);
        return Err(format!(
            "{file}: its pictures are {given}, and the net takes [pictures, {c}, {h}, {w}]: {cure} them"
        )
        .into());
    }
    let Answers { header, lines } = problem.answers(&pictures)?;
    output::write_and_report(&options.out, format!("{header}\n{}\n", lines.join("\n")))
}

/// Pictures `[pictures, channels, height, width]` of a PNG file, or of an IDX file whose numbers are
/// divided by the scale.
pub fn read(file: &Path, scale: f64) -> Result<Tensor> {
    if file.is_dir() {
        return Err(format!("{}: it is a folder, expected a file", file.display()).into());
    }
    if file.extension().is_some_and(|given| given.eq_ignore_ascii_case("png")) {
        return Ok(read_png(file)?.unsqueeze(0)?);
    }
    let pictures = read_idx(file)?.to_dtype(DType::F32).map(|pixel| pixel / scale);
    match pictures.rank() {
        // Grey pictures have one channel.
        3 => Ok(pictures.unsqueeze(1)?),
        0 | 1 => {
            let shape = pictures.shape();
            Err(format!("{}: it is {shape}, expected pictures", file.display()).into())
        }
        _ => Ok(pictures),
    }
}

/// Writes what a net makes of PNG files: of one to a file, of several to a folder, by their names.
fn restore(problem: &dyn Problem, options: &Options) -> Result<()> {
    let (files, is_one) = match &options.files[..] {
        [folder] if folder.is_dir() => (png_files(folder)?, false),
        files => (files.to_vec(), files.len() == 1),
    };
    let out = &options.out;
    if is_one && !out.is_dir() {
        check_for_png(out)?;
        options.refuse_inputs(&files, out)?;
        return output::write_and_report(out, restored(problem, &files[0])?);
    }
    let named = options.files[0].display();
    if files.is_empty() {
        return Err(format!("{named}: there is no PNG file in it").into());
    }
    if output::is_stdout(out) {
        return Err(format!("{named}: several pictures are written: --out FOLDER").into());
    }
    let mut seen = HashSet::new();
    let name = |file: &PathBuf| file.file_name().map(|name| out.join(name));
    let places: Vec<PathBuf> = files.iter().filter_map(name).collect();
    if let Some(twice) = places.iter().find(|place| !seen.insert(*place)) {
        return Err(format!("{}: two pictures would have this place", twice.display()).into());
    }
    places.iter().try_for_each(|place| options.refuse_inputs(&files, place))?;
    output::make_folder(out)?;
    for (file, place) in files.iter().zip(&places) {
        output::write_and_report(place, restored(problem, file)?)?;
    }
    Ok(())
}

/// `Ok` if a place takes the bytes of a PNG file: one of another ending, or a terminal, does not.
fn check_for_png(out: &Path) -> Result<()> {
    match output::is_stdout(out) && std::io::stdout().is_terminal() {
        true => Err(not_for(out, "png")),
        false => check_ending(out, "png"),
    }
}

/// The bytes of the PNG file that a net makes of another one.
fn restored(problem: &dyn Problem, file: &Path) -> Result<Vec<u8>> {
    let fail = |why: String| format!("{}: {why}", file.display());
    let read = read_png(file)
        .map_err(|error| format!("{error}\na model of the task pictures takes PNG files"))?;
    let picture = problem.restored(&read).map_err(|error| fail(error.to_string()))?;
    Ok(encode_png(&picture).map_err(|error| fail(error.to_string()))?)
}
