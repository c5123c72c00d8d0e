use expect_test::expect;

use super::{Colour, Column, Line, Table, Tone, visible, visible_output};

#[test]
fn what_a_terminal_obeys_is_shown_as_a_sign() {
    for (text, expected) in [
        ("plain é 漢 🦀", "plain é 漢 🦀"),
        ("\u{1b}[31m", "␛[31m"),
        ("a\nb\tc\r\0\u{7f}", "a␊b␉c␍␀␡"),
        ("\u{9b}2J", "<U+009B>2J"),
        ("\u{202e}gpj.exe", "<U+202E>gpj.exe"),
    ] {
        assert_eq!(visible(text), expected);
    }
    assert_eq!(visible_output("a\r\nb\tc\rd\u{1b}"), "a\nb\tc␍d␛");
}

#[test]
fn colour_is_around_the_text_and_never_in_it() {
    let line = Line::toned(Tone::Good, "\u{1b}[1mok").then(Tone::Plain, " 1").then(Tone::Bad, "");
    assert_eq!(line.render(Colour::Shown), "\u{1b}[32m␛[1mok\u{1b}[0m 1");
    assert_eq!(line.render(Colour::Hidden), "␛[1mok 1");
}

#[test]
fn lines_are_cut_by_columns() {
    let line = Line::plain("漢字").then(Tone::Good, "abc");
    let cut = |width| line.clone().cut(width).render(Colour::Hidden);
    let cuts: Vec<String> = (0..=7).map(cut).collect();
    assert_eq!(cuts, ["", "…", "…", "漢…", "漢…", "漢字…", "漢字a…", "漢字abc"]);
}

fn table() -> Table {
    let mut table = Table::new(&[
        Column::beginning("ID", 5),
        Column::number("N"),
        Column::text(""),
        Column::prose("WHY"),
        Column::prose("MORE"),
    ]);
    let row = |id: &str, number: &str, why: &str, more: &str| [id, number, "", why, more].map(Line::plain);
    table.row(row("/shop/web", "12", "because of reasons that take a while", "and some more of them"));
    table.row(row("/漢", "1", "short", ""));
    table
}

#[test]
fn tables_are_aligned_and_narrowed() {
    let shown: Vec<String> = [None, Some(60), Some(40), Some(10)]
        .into_iter()
        .flat_map(|width| {
            table().lines(width).into_iter().map(|line| line.render(Colour::Hidden)).chain(["".to_owned()])
        })
        .collect();
    expect![[r#"
        ID          N  WHY                                   MORE
        /shop/web  12  because of reasons that take a while  and some more of them
        /漢         1  short

        ID          N  WHY                     MORE
        /shop/web  12  because of reasons      and some more of them
                       that take a while
        /漢         1  short

        ID      N  WHY               MORE
        /sho…  12  because of        and some more of
                   reasons that      them
                   take a while
        /漢     1  short

        ID      N  WHY               MORE
        /sho…  12  because of        and some more of
                   reasons that      them
                   take a while
        /漢     1  short
    "#]]
    .assert_eq(&shown.join("\n"));
}
