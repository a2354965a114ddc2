//! MNIST and data sets that are distributed as it is, such as Fashion-MNIST.

use std::path::{Path, PathBuf};

use lossgraph_tensor::{DType, Tensor};

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::file::fail;
use crate::idx::{embedded_idx, read_idx};

/// Where Debian's package `dataset-fashion-mnist` has its files.
pub const FASHION_MNIST_FOLDER: &str = "/usr/share/datasets/fashion-mnist";

/// The names of the classes of [`fashion_mnist`].
pub const FASHION_MNIST_CLASSES: [&str; 10] = [
    "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot",
];

const CLASSES: usize = 10;

/// Training and test part of MNIST, Fashion-MNIST, K-MNIST or another set of that kind, from a folder
/// with its four files: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, and the same with
/// `t10k`; with or without `.gz`. The inputs are `[examples, 1, height, width]`, from 0 to 1.
///
/// # Errors
/// A file that is missing, damaged, or of the wrong kind; numbers of pictures and labels that differ;
/// a label above 9.
pub fn mnist(folder: impl AsRef<Path>) -> Result<(Dataset, Dataset)> {
    let folder = folder.as_ref();
    Ok((part(folder, "train")?, part(folder, "t10k")?))
}

/// All of Fashion-MNIST, 60,000 pictures to train with and 10,000 to test with, from where Debian's
/// package `dataset-fashion-mnist` has it; from another folder, [`mnist`] reads it.
///
/// # Errors
/// As for [`mnist`]. Without the package: the error says how to get it.
///
/// # Source
/// H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine
/// Learning Algorithms, 2017. MIT license, Zalando SE.
pub fn fashion_mnist() -> Result<(Dataset, Dataset)> {
    let folder = Path::new(FASHION_MNIST_FOLDER);
    match folder.is_dir() {
        true => mnist(folder),
        false => fail(
            folder,
            "there is no such folder: `apt-get install dataset-fashion-mnist`, or name the folder \
             with the four files; 2,000 of the pictures come with the program",
        ),
    }
}

/// 2,000 pictures of Fashion-MNIST's training part, 200 of each class: `[2000, 1, 28, 28]`, from 0
/// to 1.
///
/// # Errors
/// None with the files that are compiled in.
///
/// # Source
/// See [`fashion_mnist`].
pub fn fashion_mnist_2000() -> Result<Dataset> {
    let images = include_bytes!("../data/fashion-mnist-2000-images.idx3.gz");
    let labels = include_bytes!("../data/fashion-mnist-2000-labels.idx1.gz");
    let images = embedded_idx("fashion-mnist-2000-images.idx3.gz", images)?;
    let labels = embedded_idx("fashion-mnist-2000-labels.idx1.gz", labels)?;
    joined(&images, &labels).map_err(|why| Error::Dataset { why })
}

fn part(folder: &Path, part: &str) -> Result<Dataset> {
    let images = find(folder, &format!("{part}-images"), "idx3-ubyte")?;
    let labels = find(folder, &format!("{part}-labels"), "idx1-ubyte")?;
    let (pictures, numbers) = (read_idx(&images)?, read_idx(&labels)?);
    if pictures.rank() != 3 {
        return fail(&images, mislabelled("pictures [examples, height, width]", &pictures));
    }
    if numbers.rank() != 1 {
        return fail(&labels, mislabelled("labels [examples]", &numbers));
    }
    joined(&pictures, &numbers).or_else(|why| fail(&labels, why))
}

fn mislabelled(expected: &str, given: &Tensor) -> String {
    format!("it holds {} {}, expected {expected}", given.shape(), given.dtype())
}

/// The first of the names under which a file is distributed.
fn find(folder: &Path, stem: &str, kind: &str) -> Result<PathBuf> {
    let names = ["-", "."].map(|dot| format!("{stem}{dot}{kind}"));
    let all = names.iter().flat_map(|name| [name.clone(), format!("{name}.gz")]);
    let found = all.map(|name| folder.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| Error::Read {
        path: folder.to_owned(),
        why: format!("there is no {} in it, nor the same with .gz", names[0]),
    })
}

fn joined(pictures: &Tensor, labels: &Tensor) -> std::result::Result<Dataset, String> {
    let &[count, height, width] = &pictures.shape()[..] else {
        return Err(mislabelled("pictures [examples, height, width]", pictures));
    };
    if labels.len() != count {
        return Err(format!("there are {} labels for {count} pictures", labels.len()));
    }
    let numbers = labels.to_f64s();
    let is_class = |label: f64| label.fract() == 0.0 && (0.0..CLASSES as f64).contains(&label);
    if let Some(at) = numbers.iter().position(|&label| !is_class(label)) {
        return Err(format!("label {at} is {}, expected one of 0 to 9", numbers[at]));
    }
    if pictures.dtype() != DType::I64 {
        return Err(mislabelled("pixels that are integers from 0 to 255", pictures));
    }
    for picture in 0..count {
        let pixels = pictures.narrow(0, picture, 1).map_err(|error| error.to_string())?.to_f64s();
        if let Some(pixel) = pixels.into_iter().find(|pixel| !(0.0..=255.0).contains(pixel)) {
            return Err(format!("picture {picture} has a pixel of {pixel}, expected 0 to 255"));
        }
    }
    let labels = numbers.into_iter().map(|label| label as usize).collect();
    let scaled = || -> Result<Dataset> {
        let inputs = pictures.to_dtype(DType::F32).map(|pixel| pixel / 255.0);
        Dataset::new(inputs.reshape([count, 1, height, width])?, labels, CLASSES)
    };
    scaled().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn there_are_200_pictures_of_each_class() {
        let data = fashion_mnist_2000().unwrap();
        assert_eq!(data.inputs().shape()[..], [2000, 1, 28, 28]);
        for class in 0..10 {
            assert_eq!(data.labels().iter().filter(|&&label| label == class).count(), 200);
        }
        let pixels = data.inputs().to_f64s();
        assert!(pixels.iter().all(|pixel| (0.0..=1.0).contains(pixel)));
        assert!(pixels.contains(&1.0));
    }

    /// A folder of one test, gone with it.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let name = format!("lossgraph-data-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir_all(&path).unwrap();
            Folder(path)
        }

        fn write(&self, name: &str, kind: u8, shape: &[u32], data: &[u8]) {
            let mut bytes = vec![0, 0, kind, shape.len() as u8];
            bytes.extend(shape.iter().flat_map(|length| length.to_be_bytes()));
            bytes.extend(data);
            fs::write(self.0.join(name), bytes).unwrap();
        }

        fn refused(&self) -> String {
            mnist(&self.0).unwrap_err().to_string()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_folder_of_idx_files_is_two_data_sets() {
        let folder = Folder::new("mnist");
        for part in ["train", "t10k"] {
            folder.write(&format!("{part}-images-idx3-ubyte"), 8, &[2, 1, 2], &[0, 255, 51, 0]);
            folder.write(&format!("{part}-labels.idx1-ubyte"), 8, &[2], &[9, 0]);
        }
        let (train, test) = mnist(&folder.0).unwrap();
        assert_eq!((train.labels(), test.len()), (&[9, 0][..], 2));
        assert_eq!(
            train.inputs().to_dtype(DType::F32).to_vec::<f32>().unwrap(),
            [0.0, 1.0, 0.2, 0.0]
        );
    }

    #[test]
    fn a_file_that_is_missing_mislabelled_or_does_not_match_is_named() {
        let folder = Folder::new("mislabelled");
        assert!(folder.refused().contains("there is no train-images-idx3-ubyte"));
        folder.write("train-images-idx3-ubyte", 8, &[2], &[9, 0]);
        folder.write("train-labels-idx1-ubyte", 8, &[2], &[9, 0]);
        assert!(folder.refused().contains("it holds [2] i64, expected pictures"));
        folder.write("train-images-idx3-ubyte", 8, &[3, 1, 1], &[0, 1, 2]);
        assert!(folder.refused().contains("there are 2 labels for 3 pictures"));
        folder.write("train-labels-idx1-ubyte", 8, &[3], &[9, 10, 0]);
        assert!(folder.refused().contains("label 1 is 10, expected one of 0 to 9"));
        let halves = [0.0_f32, 0.5, 1.0].map(f32::to_be_bytes).concat();
        folder.write("train-labels-idx1-ubyte", 0x0d, &[3], &halves);
        assert!(folder.refused().contains("label 1 is 0.5, expected one of 0 to 9"));
        folder.write("train-labels-idx1-ubyte", 8, &[3], &[9, 1, 0]);
        let pixels = [0, 300, 2].map(i32::to_be_bytes).concat();
        folder.write("train-images-idx3-ubyte", 0x0c, &[3, 1, 1], &pixels);
        assert!(folder.refused().contains("picture 1 has a pixel of 300, expected 0 to 255"));
    }
}
