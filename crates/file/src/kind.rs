//! What files are, by their first bytes.

/// Kinds of files that are taken for others, by what they begin with.
const KINDS: &[(&[u8], &str)] = &[
    (b"PK\x03\x04", "a ZIP file, as `torch.save` and `numpy.savez` write them"),
    (b"\x80\x02", "a pickle, as old versions of `torch.save` write them"),
    (b"\x93NUMPY", "an array of NumPy"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x89PNG", "a PNG file"),
    (b"\xff\xd8\xff", "a JPEG file"),
    (b"GIF8", "a GIF file"),
    (b"%PDF", "a PDF file"),
    (b"\x1f\x8b", "a gzipped file"),
    (b"PAR1", "a Parquet file"),
    (b"<svg", "an SVG file"),
    (b"<?xml", "an XML file"),
];

/// What a file is that begins with some bytes, in words, if that can be told: a file of another kind
/// than the one that was expected.
///
/// ```
/// assert_eq!(lossgraph_file::kind(b"\x89PNG\r\n\x1a\n"), Some("a PNG file"));
/// assert_eq!(lossgraph_file::kind(b"a,b\n1,2\n"), Some("text"));
/// assert_eq!(lossgraph_file::kind(b"\x10\0\0\0\0\0\0\0{\"w\":{}}"), Some("a safetensors file"));
/// assert_eq!(lossgraph_file::kind(b"\0\x01"), None);
/// ```
pub fn kind(bytes: &[u8]) -> Option<&'static str> {
    let named = KINDS.iter().find(|(begin, _)| bytes.starts_with(begin)).map(|(_, what)| *what);
    // The length of a header in JSON comes first.
    let is_safetensors = bytes.get(4..9) == Some(b"\0\0\0\0{");
    let is_text = || {
        let read = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(_) => return false,
        };
        !read.is_empty() && !read.contains(|c: char| c.is_control() && !c.is_whitespace())
    };
    named.or(is_safetensors.then_some("a safetensors file")).or_else(|| is_text().then_some("text"))
}
