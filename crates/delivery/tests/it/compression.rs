use bytes::Bytes;
use ringwall_delivery::{Encoding, compress};

#[test]
fn only_what_gets_smaller_is_packed() {
    let text = Bytes::from("a process was started; ".repeat(1000));
    let (packed, encoding) = compress(text.clone(), Encoding::Zstd).unwrap();
    assert_eq!(encoding.header(), Some("zstd"));
    assert!(packed.len() * 10 < text.len(), "{} bytes", packed.len());
    assert_eq!(zstd::bulk::decompress(&packed, text.len()).unwrap(), text);

    let short = Bytes::from_static(b"short");
    assert_eq!(compress(short.clone(), Encoding::Zstd).unwrap(), (short, Encoding::Identity));
    let mut noise = vec![0; 4096];
    getrandom::fill(&mut noise).unwrap();
    let noise = Bytes::from(noise);
    assert_eq!(compress(noise.clone(), Encoding::Zstd).unwrap(), (noise, Encoding::Identity));
    assert_eq!(compress(text.clone(), Encoding::Identity).unwrap(), (text, Encoding::Identity));
}

#[cfg(feature = "gzip")]
#[test]
fn gzip_is_what_others_read() {
    use std::io::Read;
    let text = Bytes::from("a process was started; ".repeat(1000));
    let (packed, encoding) = compress(text.clone(), Encoding::Gzip).unwrap();
    assert_eq!(encoding.header(), Some("gzip"));
    let mut read = Vec::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut read).unwrap();
    assert_eq!(read, text);
}
