//! Documents that repeat what the program says.

#[test]
fn the_reference_of_the_configuration_is_what_explain_prints() {
    let here = env!("CARGO_MANIFEST_DIR");
    let read = |path: &str| std::fs::read_to_string(format!("{here}/{path}")).unwrap();
    let (guide, explained) =
        (read("../../docs/configuration.md"), read("tests/golden/config-explain.toml"));
    assert!(
        guide.contains(explained.trim()),
        "docs/configuration.md does not hold the output of `ringwall config explain`"
    );
}
