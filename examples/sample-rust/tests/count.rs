use sample_words::count;

#[test]
fn words_count_regardless_of_case() {
    let counts = count("The cat saw the other cat.");
    assert_eq!(counts["the"], 2);
    assert_eq!(counts["cat"], 2);
    assert_eq!(counts.len(), 4);
}
