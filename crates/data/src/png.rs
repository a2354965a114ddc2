//! Pictures from PNG files, and to them.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Seek};
use std::path::{Path, PathBuf};

use lossgraph_tensor::Tensor;
use png::{ColorType, Decoder, Limits, Transformations};

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::file::fail;

/// The most bytes of a picture, unpacked: a file of some kilobytes can claim to be of any size.
const LIMIT: usize = 1 << 28;

/// Reads a PNG file as `[channels, height, width]`, from 0 to 1: one channel if it is grey, three if
/// it has colors. Transparency is left out.
///
/// # Errors
/// A file that cannot be read, is no PNG file or a damaged one, or a picture of more than 256 MiB.
pub fn read_png(path: impl AsRef<Path>) -> Result<Tensor> {
    let path = path.as_ref();
    match File::open(path) {
        Ok(file) => decode(BufReader::new(file)).or_else(|why| fail(path, why)),
        Err(error) => fail(path, format!("it cannot be read: {error}")),
    }
}

/// A picture `[channels, height, width]` as the bytes of a PNG file: grey if it has one channel, with
/// colors if it has three. 0 is black, 1 is white, and what lies beyond is cut off; 256 shades are kept.
///
/// ```
/// use lossgraph_data::encode_png;
/// use lossgraph_tensor::Tensor;
///
/// let bytes = encode_png(&Tensor::from([[[0.0, 0.5, 1.0]]]))?;
/// assert!(bytes.starts_with(b"\x89PNG"));
/// # Ok::<(), lossgraph_data::Error>(())
/// ```
///
/// # Errors
/// Another shape, a side of 0, and pixels that are NaN.
#[doc(alias = "write_png")]
pub fn encode_png(picture: &Tensor) -> Result<Vec<u8>> {
    let shape = picture.shape().to_vec();
    let refuse = |why: String| Err(Error::Dataset { why: format!("encode_png: {why}") });
    let side = |length: usize| u32::try_from(length).ok().filter(|&length| length > 0);
    let (color, [height, width]) = match shape[..] {
        [1, height, width] => (ColorType::Grayscale, [height, width]),
        [3, height, width] => (ColorType::Rgb, [height, width]),
        _ => return refuse(format!("it is {shape:?}, expected [1 or 3, height, width]")),
    };
    let (Some(rows), Some(columns)) = (side(height), side(width)) else {
        return refuse(format!("it is {shape:?}, which is no size of a picture"));
    };
    let planes = picture.to_f64s();
    if planes.iter().any(|pixel| pixel.is_nan()) {
        return refuse("a pixel is NaN".to_owned());
    }
    let area = height * width;
    let shade = |pixel: f64| (255.0 * pixel.clamp(0.0, 1.0)).round() as u8;
    let pixels: Vec<u8> = (0..area)
        .flat_map(|at| planes.iter().skip(at).step_by(area).map(|&pixel| shade(pixel)))
        .collect();
    let encode = || -> std::result::Result<Vec<u8>, png::EncodingError> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, columns, rows);
        encoder.set_color(color);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&pixels)?;
        writer.finish()?;
        Ok(bytes)
    };
    encode().or_else(|error| refuse(error.to_string()))
}

/// The PNG files of a folder, in the order of their names.
///
/// # Errors
/// A folder that cannot be read.
pub fn png_files(folder: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
    let is_png =
        |path: &PathBuf| path.extension().is_some_and(|end| end.eq_ignore_ascii_case("png"));
    Ok(entries(folder.as_ref())?.into_iter().filter(is_png).collect())
}

/// A photograph of a man with a camera, grey, `[1, 512, 512]`, from 0 to 1.
///
/// # Errors
/// None with the file that is compiled in.
///
/// # Source
/// scikit-image, `data.camera()`. CC0, by the photographer Lav Varshney.
pub fn camera() -> Result<Tensor> {
    let bytes = include_bytes!("../data/camera.png");
    let file = "camera.png";
    decode(Cursor::new(&bytes[..])).map_err(|why| Error::File { file, line: 0, why })
}

/// The pictures of a folder of folders, `[examples, channels, height, width]`: each folder in it is a
/// class, with its PNG files. Also the names of the classes, in order.
///
/// # Errors
/// Fewer than two folders, a folder without pictures, pictures of different sizes, and what
/// [`read_png`] refuses.
#[doc(alias = "ImageFolder")]
pub fn png_folder(folder: impl AsRef<Path>) -> Result<(Dataset, Vec<String>)> {
    let folder = folder.as_ref();
    let classes: Vec<PathBuf> = entries(folder)?.into_iter().filter(|path| path.is_dir()).collect();
    if classes.len() < 2 {
        let given = classes.len();
        return fail(
            folder,
            format!("it has {given} folders, expected one for each class, 2 or more"),
        );
    }
    let mut numbers: Vec<f32> = Vec::new();
    let (mut labels, mut first): (Vec<usize>, Option<(PathBuf, Vec<usize>)>) = (Vec::new(), None);
    for (label, class) in classes.iter().enumerate() {
        let files = png_files(class)?;
        if files.is_empty() {
            return fail(class, "there is no PNG file in it");
        }
        for file in files {
            let picture = read_png(&file)?;
            let shape = picture.shape().to_vec();
            match &first {
                None => first = Some((file, shape)),
                Some((_, of_first)) if *of_first == shape => {}
                Some((first, of_first)) => {
                    let why = format!(
                        "it is {shape:?}, and {} is {of_first:?}: expected one size for all",
                        first.display()
                    );
                    return fail(&file, why);
                }
            }
            numbers.extend(picture.to_vec::<f32>()?);
            labels.push(label);
        }
    }
    let mut shape = first.map_or_else(Vec::new, |(_, shape)| shape);
    shape.insert(0, labels.len());
    let name = |path: &PathBuf| {
        path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    };
    let names = classes.iter().map(name).collect();
    Ok((Dataset::new(Tensor::new(shape, numbers)?, labels, classes.len())?, names))
}

/// What is in a folder, by name, so that the order is the same everywhere.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = || -> std::io::Result<Vec<PathBuf>> {
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
    };
    let mut all = read().or_else(|error| fail(folder, format!("it cannot be read: {error}")))?;
    all.sort();
    Ok(all)
}

fn decode(file: impl BufRead + Seek) -> std::result::Result<Tensor, String> {
    let damaged =
        |error: png::DecodingError| format!("it is no PNG file, or a damaged one: {error}");
    let mut decoder = Decoder::new_with_limits(file, Limits { bytes: LIMIT });
    // To 8 bits a channel, without palettes and transparency.
    decoder.set_transformations(Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(damaged)?;
    let (width, height) = reader.info().size();
    let Some(bytes) = reader.output_buffer_size().filter(|&bytes| bytes <= LIMIT) else {
        return Err(format!("it claims {width} × {height} pixels, more than 256 MiB"));
    };
    let mut pixels = vec![0; bytes];
    let frame = reader.next_frame(&mut pixels).map_err(damaged)?;
    let (channels, all) = match frame.color_type {
        ColorType::Grayscale => (1, 1),
        ColorType::GrayscaleAlpha => (1, 2),
        ColorType::Rgb => (3, 3),
        ColorType::Rgba => (3, 4),
        ColorType::Indexed => return Err("its palette cannot be read".to_owned()),
    };
    let area = width as usize * height as usize;
    let of = |channel: usize| {
        let pixels = &pixels;
        (0..area).map(move |at| f32::from(pixels[at * all + channel]) / 255.0)
    };
    let planes: Vec<f32> = (0..channels).flat_map(of).collect();
    let shape = [channels, height as usize, width as usize];
    Tensor::new(shape, planes).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_photograph_is_512_pixels_square_and_grey() {
        let camera = camera().unwrap();
        assert_eq!(camera.shape()[..], [1, 512, 512]);
        let mean = camera.to_f64s().iter().sum::<f64>() / (512.0 * 512.0);
        assert!((mean - 129.06 / 255.0).abs() < 1e-3, "{mean}");
    }

    #[test]
    fn a_picture_that_is_written_is_read_as_it_was() {
        let shades = |channels: usize| {
            let pixels = (0..channels * 6).map(|at| at as f32 * 14.0 / 255.0);
            Tensor::new([channels, 2, 3], pixels.collect::<Vec<f32>>()).unwrap()
        };
        for channels in [1, 3] {
            let picture = shades(channels);
            assert_eq!(decode(Cursor::new(encode_png(&picture).unwrap())).unwrap(), picture);
        }
        let beyond = Tensor::from([[[-1.0_f32, 0.0, 1.0, 7.0]]]);
        let read = decode(Cursor::new(encode_png(&beyond).unwrap())).unwrap();
        assert_eq!(read.to_f64s(), [0.0, 0.0, 1.0, 1.0]);
        for (bad, told) in [
            (shades(2), "expected [1 or 3, height, width]"),
            (Tensor::from([[[f32::NAN]]]), "NaN"),
            (Tensor::from([1.0_f32]), "it is [1]"),
        ] {
            let error = encode_png(&bad).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_no_picture_or_half_of_one_is_refused() {
        let whole = &include_bytes!("../data/camera.png")[..];
        assert!(decode(Cursor::new(&b"GIF89a"[..])).unwrap_err().contains("no PNG file"));
        let half = decode(Cursor::new(&whole[..whole.len() / 2])).unwrap_err();
        assert!(half.contains("a damaged one"), "{half}");
    }

    #[test]
    fn a_claim_of_gigapixels_is_refused_before_they_are_allocated() {
        let mut header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        let mut chunk = b"IHDR".to_vec();
        chunk.extend([0, 1, 0, 0, 0, 1, 0, 0, 8, 0, 0, 0, 0]);
        header.extend(&chunk[4..]);
        // The checksum of this header, so that only its size is wrong.
        header.extend(crc(&chunk).to_be_bytes());
        header.extend(b"\0\0\0\0IDAT\x35\xaf\x06\x1e");
        let error = decode(Cursor::new(&header[..])).unwrap_err();
        assert!(error.contains("65536 × 65536") || error.contains("imit"), "{error}");
    }

    fn crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0_u32, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| {
                if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
            })
        })
    }

    #[test]
    fn folders_are_classes() {
        let name = format!("lossgraph-data-png-{}", std::process::id());
        let root = std::env::temp_dir().join(name);
        let write = |name: &str, size: u32| {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut encoder = png::Encoder::new(File::create(path).unwrap(), size, size);
            encoder.set_color(ColorType::Rgb);
            let mut writer = encoder.write_header().unwrap();
            writer.write_image_data(&vec![51; (3 * size * size) as usize]).unwrap();
        };
        write("cats/b.png", 2);
        assert!(png_folder(&root).unwrap_err().to_string().contains("it has 1 folders"));
        write("cats/a.png", 2);
        write("dogs/a.PNG", 2);
        let (data, names) = png_folder(&root).unwrap();
        assert_eq!(
            (data.inputs().shape().to_vec(), names),
            (vec![3, 3, 2, 2], vec!["cats".to_owned(), "dogs".to_owned()])
        );
        assert_eq!(data.labels(), [0, 0, 1]);
        write("dogs/b.png", 3);
        let error = png_folder(&root).unwrap_err().to_string();
        assert!(error.contains("[3, 3, 3]") && error.contains("expected one size"), "{error}");
        std::fs::remove_dir_all(root).unwrap();
    }
}
