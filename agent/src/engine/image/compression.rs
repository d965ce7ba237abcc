//! Compressed streams, told by their first bytes.

use std::io::{BufReader, Cursor, Read};

use super::ImageError;

const BUFFER: usize = 64 << 10;
const LONGEST_MAGIC: u64 = 6;
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Known, so that they are told by name.
const OTHERS: [(&[u8], &str); 2] = [
    (b"BZh", "bzip2"),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz"),
];

/// How a blob is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

/// What a stream is compressed with, and the stream again from its start. `what` is for the error.
pub(super) fn sniff<R: Read>(
    mut reader: R,
    what: &str,
) -> Result<(Compression, impl Read + use<R>), ImageError> {
    let mut start = Vec::new();
    // A pipe may give a byte at a time.
    reader
        .by_ref()
        .take(LONGEST_MAGIC)
        .read_to_end(&mut start)
        .map_err(|source| ImageError::Read { source })?;
    if let Some((_, with)) = OTHERS.iter().find(|(magic, _)| start.starts_with(magic)) {
        return Err(ImageError::Compression {
            what: what.to_owned(),
            with,
        });
    }
    let compression = match start {
        _ if start.starts_with(GZIP) => Compression::Gzip,
        _ if start.starts_with(ZSTD) => Compression::Zstd,
        _ => Compression::None,
    };
    Ok((compression, Cursor::new(start).chain(reader)))
}

/// A stream as it was before it was compressed. Several compressed one after the other are one.
pub(super) fn decoder<'a>(
    compression: Compression,
    reader: impl Read + 'a,
) -> Result<Box<dyn Read + 'a>, ImageError> {
    let reader = BufReader::with_capacity(BUFFER, reader);
    Ok(match compression {
        Compression::None => Box::new(reader),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(reader)),
        Compression::Zstd => {
            let decoder = zstd::Decoder::with_buffer(reader);
            Box::new(decoder.map_err(|source| ImageError::Read { source })?)
        }
    })
}

/// Both.
pub(crate) fn decompress<'a>(
    reader: impl Read + 'a,
    what: &str,
) -> Result<Box<dyn Read + 'a>, ImageError> {
    let (compression, reader) = sniff(reader, what)?;
    decoder(compression, reader)
}
